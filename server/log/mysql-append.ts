/**
 * The append of the MySQL log. A group commit is one transaction: share-lock the row of our term,
 * insert the log rows, write the index rows (of open transactions into `open_transaction`, of those
 * that have ended into `global_transaction`), commit. Invariant: an answer other than by throwing is
 * about rows that are on disk, or never will be. Connections are not made or ended here.
 */
import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import type { Append, AppendAnswer, LogRow, Term } from './log.ts';
import { type LogRowStored, logRowOf } from './log-queries.ts';
import {
  answerTaken,
  bySlot,
  indexColumnNames,
  indexColumns,
  isFresh,
  labelRows,
} from './server-log.ts';

/** How often the rows that lost no slot are sent again because another row of theirs did. */
const roundsMax = 4;

type Value = string | number | null;

/** One append on its connection. */
export interface Writing {
  readonly connection: Connection;
  readonly answerMsMax: number;
  readonly term: Term;
}

/**
 * Writes the rows and answers for each of them. Throws when anything may be amiss; the caller then
 * knows nothing about any row, and destroys the connection.
 */
export async function appendPart(
  writing: Writing,
  part: readonly Append[],
): Promise<readonly AppendAnswer[]> {
  const answers = new Map<LogRow, AppendAnswer>();
  let missing = part;
  for (let round = 0; round < roundsMax && missing.length > 0; round += 1) {
    const written = await commitRows(writing, missing);
    if (written === 'fenced') return fencedRest(part, answers);
    if (written === 'appended') return part.map(({ row }) => answers.get(row) ?? 'appended');
    const there = bySlot(await readSlots(writing, missing));
    await flush(writing);
    for (const { row } of missing) {
      const found = there(row);
      if (found !== undefined) answers.set(row, answerTaken(row, found));
    }
    missing = missing.filter(({ row }) => !answers.has(row));
  }
  return part.map(({ row }) => answers.get(row) ?? 'unknown');
}

/** The term ended between two rounds: what was found before stands, the rest was never written. */
function fencedRest(
  part: readonly Append[],
  answers: ReadonlyMap<LogRow, AppendAnswer>,
): readonly AppendAnswer[] {
  return part.map(({ row }) => answers.get(row) ?? 'fenced');
}

/** One transaction with all of the rows; `taken` when one of the slots is, and then with none. */
async function commitRows(
  writing: Writing,
  appends: readonly Append[],
): Promise<'appended' | 'fenced' | 'taken'> {
  const { connection, term } = writing;
  const [terms] = await execute<RowDataPacket[]>(writing, fenceStatement, [term.epoch]);
  if (terms.length === 0) {
    await run(writing, 'rollback');
    return 'fenced';
  }
  try {
    await insertRows(
      writing,
      logTable,
      appends.map(({ row }) => logColumns(row)),
    );
  } catch (error) {
    if (!isTaken(error)) throw error;
    await run(writing, 'rollback');
    return 'taken';
  }
  await writeIndex(writing, appends);
  await connection.query({ sql: 'commit', timeout: writing.answerMsMax });
  return 'appended';
}

/** Answers a row while the term runs. The lock is held until the commit. */
export const fenceStatement =
  'select epoch from coordinator_node where epoch = ? and ended_at_ms is null lock in share mode';

/** An insert of n rows: what stands before and after the values. */
export interface Target {
  readonly insert: string;
  readonly columnCount: number;
  readonly afterValues: string;
}

/** Plain insert: `ignore` would also swallow values that do not fit, and cut them. */
export const logTable: Target = {
  insert: 'insert into transaction_log (gid, seq, shard, epoch, at_ms, records) values ',
  columnCount: 6,
  afterValues: '',
};

/** Labels. A row that is there already is the same row. */
const labelTable: Target = {
  insert: 'insert into transaction_label (label, started_at_ms, gid) values ',
  columnCount: 3,
  afterValues: ' on duplicate key update gid = transaction_label.gid',
};

/** An upsert. `values(column)` is old, but the row alias that replaces it is MySQL's alone. */
function replacing(target: Target): Target {
  const [, ...others] = indexColumnNames;
  const sets = others.map((name) => `${name} = values(${name})`).join(', ');
  return { ...target, afterValues: ` on duplicate key update ${sets}` };
}

function indexTable(name: 'open_transaction' | 'global_transaction'): Target {
  return {
    insert: `insert into ${name} (${indexColumnNames.join(', ')}) values `,
    columnCount: indexColumnNames.length,
    afterValues: '',
  };
}

/** Index rows of open transactions. */
export const openTable = indexTable('open_transaction');
/** Index rows of those that have ended. */
export const finishedTable = indexTable('global_transaction');

/**
 * Each table gets its rows; what has ended leaves the table of the open ones. Plain inserts where
 * the rows are probably new, because an upsert costs a tenth more.
 */
async function writeIndex(writing: Writing, appends: readonly Append[]): Promise<void> {
  const opened: (readonly Value[])[] = [];
  const finished: (readonly Value[])[] = [];
  for (const { index } of appends) {
    if (index !== null) (index.outcome === null ? opened : finished).push(indexColumns(index));
  }
  if (appends.every(isFresh)) await insertOrReplace(writing, openTable, opened);
  else await insertRows(writing, replacing(openTable), opened);
  await insertOrReplace(writing, finishedTable, finished);
  await insertRows(writing, labelTable, labelRows(appends));
  await deleteOpen(
    writing,
    finished.map(([gid = null]) => gid),
  );
}

async function insertOrReplace(
  writing: Writing,
  target: Target,
  rows: readonly (readonly Value[])[],
): Promise<void> {
  try {
    await insertRows(writing, target, rows);
  } catch (error) {
    // The statement that failed has written nothing; those before it are simply written again.
    if (!isTaken(error)) throw error;
    await insertRows(writing, replacing(target), rows);
  }
}

async function deleteOpen(writing: Writing, gids: readonly Value[]): Promise<void> {
  if (gids.length === 0) return;
  const { sql, values } = deleteStatement(gids);
  await execute(writing, sql, values);
}

/**
 * Takes the gids (at least one) out of the table of the open ones.
 *
 * A join, so that each row is looked up by its key. With `where gid in (…)` the optimizer reads
 * through the whole table as soon as the list holds about a quarter of it, index hint or not, and
 * waits for the rows of the other commit in flight, which may be waiting for ours (test: "ends some
 * while another commit ends others"). The list is filled up to a fixed size with a gid that is in it
 * already; without the conversion MySQL may compare as utf8mb4, for which there is no index.
 */
export function deleteStatement(gids: readonly Value[]): { sql: string; values: Value[] } {
  const [first = null] = gids;
  const count = statementRows.findLast((size) => size >= gids.length) ?? gids.length;
  const values = [...gids, ...Array<Value>(count - gids.length).fill(first)];
  const sql = `delete o
    from (select ? as gid${' union all select ?'.repeat(count - 1)}) k
    straight_join open_transaction o force index (primary)
      on o.gid = convert(k.gid using ascii) collate ascii_bin`;
  return { sql, values };
}

/**
 * Prepared statements of fixed sizes, so that each is prepared once per connection; dense enough
 * that most numbers of rows take two round trips. Measured with MariaDB on two busy cores, a TCC with
 * two branches, 256 rows, two in flight: 44 us of the database's CPU per TCC, against 47 with powers
 * of two, 58 with one table whose row is upserted at begin and at the end, and 78 with JSON
 * parameters taken apart by json_table.
 */
export const statementRows = [
  ...[256, 224, 192, 160, 128, 112, 96, 80, 64, 56, 48, 40, 32, 28],
  ...[24, 20, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1],
] as const;

async function insertRows(
  writing: Writing,
  target: Target,
  rows: readonly (readonly Value[])[],
): Promise<void> {
  let from = 0;
  while (from < rows.length) {
    const count = statementRows.find((size) => size <= rows.length - from) ?? 1;
    await execute(writing, insertStatement(target, count), rows.slice(from, from + count).flat());
    from += count;
  }
}

/** The text that inserts `count` rows. */
export function insertStatement(target: Target, count: number): string {
  const row = `(${Array(target.columnCount).fill('?').join(',')})`;
  return `${target.insert}${Array(count).fill(row).join(',')}${target.afterValues}`;
}

function logColumns(row: LogRow): readonly Value[] {
  return [row.gid, row.seq, row.shard, row.epoch, row.atMs, row.records];
}

function execute<Result extends RowDataPacket[] | ResultSetHeader>(
  { connection, answerMsMax }: Writing,
  sql: string,
  values: Value[],
) {
  return connection.execute<Result>({ sql, values, timeout: answerMsMax });
}

async function run({ connection, answerMsMax }: Writing, sql: string): Promise<void> {
  await connection.query({ sql, timeout: answerMsMax });
}

const duplicateEntry = 1062;

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && error.errno === duplicateEntry;
}

/** What stands in the slots; statements see what was committed before them. */
async function readSlots(
  { connection, answerMsMax }: Writing,
  appends: readonly Append[],
): Promise<readonly LogRow[]> {
  const slots = appends.map(({ row }) => [row.gid, row.seq]);
  const [rows] = await connection.query<RowDataPacket[]>({
    sql: `select gid, seq, shard, epoch, at_ms, records from transaction_log
          where (gid, seq) in (?)`,
    values: [slots],
    timeout: answerMsMax,
  });
  return (rows as LogRowStored[]).map(logRowOf);
}

/**
 * InnoDB shows a commit to others before it is on disk, so a row that was only read is not known to
 * be durable. A commit of our own that changes something flushes the log up to there and beyond.
 */
async function flush(writing: Writing): Promise<void> {
  const [changed] = await execute<ResultSetHeader>(
    writing,
    'update coordinator_node set heartbeat_at_ms = heartbeat_at_ms + 1 where epoch = ?',
    [writing.term.epoch],
  );
  if (changed.affectedRows !== 1) throw new Error('the term has no row to flush with');
  await run(writing, 'commit');
}
