/**
 * The append of the PostgreSQL log: one autocommit statement per group commit. It share-locks the
 * row of our term, inserts the log rows, and writes the index rows: those of open transactions into
 * `open_transaction`, those that have ended into `global_transaction`. Invariant: an answer other
 * than by throwing is about rows that are on disk, or never will be.
 */
import type pg from 'pg';
import type { Append, AppendAnswer, IndexRow, LogRow, Term } from './log.ts';
import { type LogRowStored, logRowOf } from './log-queries.ts';
import { bigintArray, integerArray, textArray } from './postgres-arrays.ts';
import {
  answerAll,
  answerTaken,
  bySlot,
  indexColumnNames,
  isFresh,
  jsonOrNull,
  type LabelRow,
  labelRows,
} from './server-log.ts';

/**
 * Held until the commit, so who ends the term waits. A term that is over gives no row, and what is
 * joined with it then gives none either.
 */
const term = `term as materialized (
  select from coordinator_node where epoch = $1 and ended_at_ms is null for share
)`;

/** `unnest` in the select list hands row after row on; in `from` it would fill a table first. */
const logged = `select unnest($2::text[]) as records, unnest($3::text[]) as gid,
    unnest($4::integer[]) as seq, unnest($5::integer[]) as shard, unnest($6::bigint[]) as epoch,
    unnest($7::bigint[]) as at_ms`;

const indexRowsFrom = (first: number) => {
  const types = ['text', 'integer', 'text', 'text', 'text', 'text', 'text'];
  return [...types, 'bigint', 'bigint', 'bigint', 'text']
    .map((type, i) => `unnest($${first + i}::${type}[]) as ${indexColumnNames[i]}`)
    .join(', ');
};
const opened = `select ${indexRowsFrom(8)}`;
const finished = `select ${indexRowsFrom(19)}`;
const finishedGids = '$19::text[]';

const logColumns = 'records, gid, seq, shard, epoch, at_ms';
const indexColumns = indexColumnNames.join(', ');

/**
 * The usual case: every slot is free, and what is open or finished is so for the first time.
 * Anything else is a unique violation, which undoes the whole statement.
 *
 * Measured on two cores, a TCC with two branches (three rows, two of them with an index row), 256
 * rows, two in flight: 26 us of the server's CPU per TCC. The other ways: 39 with jsonb instead of
 * binary arrays; 35 with `on conflict`, which looks first and marks the row twice; 59 with jsonb and
 * an upsert into one table, where the end is an update that touches every index again.
 *
 * The delete compares with an array and not with rows, so its plan is the primary key, always: an
 * update by rows was planned once on the empty table and ran 15 times slower.
 */
const freshStatement = (labelled: string) => `
with ${term}, logged as (
  insert into transaction_log (${logColumns}) select row.* from term, (${logged}) row
), opened as (
  insert into open_transaction (${indexColumns}) select row.* from term, (${opened}) row
), finished as (
  insert into global_transaction (${indexColumns}) select row.* from term, (${finished}) row
), closed as (
  delete from open_transaction where gid = any(${finishedGids}) and exists (select from term)
)${labelled}
select '' from term`;

/** `is true` keeps `in` a hashed subplan: as a join it could only be a nested loop here. */
const wentIn = '(gid in (select gid from appended)) is true';

/**
 * Any case, at one and a half times the price: a taken slot leaves the others alone, and only rows
 * that went in change the index. The answer: the gids that went in, and an empty text when the term
 * still runs.
 */
const anyStatement = (labelled: string) => `
with ${term}, appended as (
  insert into transaction_log (${logColumns}) select row.* from term, (${logged}) row
  on conflict do nothing
  returning gid
), opened as (
  insert into open_transaction (${indexColumns}) select row.* from (${opened}) row
  where ${wentIn}
  ${replacing()}
), finished as (
  insert into global_transaction (${indexColumns}) select row.* from (${finished}) row
  where ${wentIn}
  ${replacing()}
  returning gid
), closed as (
  delete from open_transaction where gid = any(array(select gid from finished))
)${labelled}
select gid from appended union all select '' from term`;

const labels = `select unnest($30::text[]) as label, unnest($31::bigint[]) as started_at_ms,
    unnest($32::text[]) as gid`;
const insertLabels = 'insert into transaction_label (label, started_at_ms, gid) select row.*';

/** Labels go in with the first row. A batch without any has statements without a word of them. */
const statements = {
  fresh: { name: 'settle-append', text: freshStatement('') },
  any: { name: 'settle-append-any', text: anyStatement('') },
  freshLabelled: {
    name: 'settle-append-labelled',
    text: freshStatement(`, labelled as (${insertLabels} from term, (${labels}) row)`),
  },
  anyLabelled: {
    name: 'settle-append-any-labelled',
    text: anyStatement(
      `, labelled as (${insertLabels} from (${labels}) row where ${wentIn} on conflict do nothing)`,
    ),
  },
} as const;

function replacing(): string {
  const [, ...others] = indexColumnNames;
  const sets = others.map((name) => `${name} = excluded.${name}`);
  return `on conflict (gid) do update set ${sets.join(', ')}`;
}

/**
 * Writes the rows on a connection of the pool and answers for each. Throws when anything may be amiss;
 * the caller then knows nothing about any row, and the connection is thrown away.
 */
export async function appendPart(
  pool: pg.Pool,
  term: Term,
  part: readonly Append[],
): Promise<readonly AppendAnswer[]> {
  const client = await pool.connect();
  try {
    const answers = await appendOn(client, term, part);
    client.release();
    return answers;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function appendOn(
  client: pg.PoolClient,
  term: Term,
  part: readonly Append[],
): Promise<readonly AppendAnswer[]> {
  const labelled = labelRows(part);
  const hasLabels = labelled.length > 0;
  const values = [term.epoch, ...batchArrays(part), ...(hasLabels ? labelArrays(labelled) : [])];
  const run = async (chosen: (typeof statements)[keyof typeof statements]) => {
    const statement = { ...chosen, values, rowMode: 'array' } as const;
    const { rows } = await durably(client, () => client.query<[string], unknown[]>(statement));
    return rows.map(([gid]) => gid);
  };
  if (part.every(isFresh)) {
    try {
      const gids = await run(hasLabels ? statements.freshLabelled : statements.fresh);
      return answerAll(part, gids.length === 0 ? 'fenced' : 'appended');
    } catch (error) {
      // Nothing of it was written. Some slot is taken: the other statement finds out which.
      if (!isTaken(error)) throw error;
    }
  }
  const gids = new Set(await run(hasLabels ? statements.anyLabelled : statements.any));
  if (!gids.has('')) return answerAll(part, 'fenced');
  if (gids.size === part.length + 1) return answerAll(part, 'appended');
  const taken = part.map((append) => append.row).filter((row) => !gids.has(row.gid));
  const there = bySlot(await readSlots(client, taken));
  return part.map(({ row }) => (gids.has(row.gid) ? 'appended' : answerTaken(row, there(row))));
}

const uniqueViolation = '23505';

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === uniqueViolation;
}

/**
 * With synchronous standbys a commit that is cancelled while it waits for them "succeeds" with a
 * warning, though only this server has it. That is not durable enough to be told, so it throws; the
 * row, sent again, is answered after a commit that did wait, and which comes after the first one.
 */
export async function durably<T>(client: pg.PoolClient, commit: () => Promise<T>): Promise<T> {
  let hasWaited = true;
  const onNotice = (notice: { readonly routine?: string | undefined }) => {
    if (notice.routine === 'SyncRepWaitForLSN') hasWaited = false;
  };
  client.on('notice', onNotice);
  try {
    const result = await commit();
    if (!hasWaited) throw new Error('the commit did not wait for its standbys');
    return result;
  } finally {
    client.off('notice', onNotice);
  }
}

/** $2 and on: one array per column. The largest comes first, so that the driver's buffer grows once. */
function batchArrays(part: readonly Append[]): readonly Buffer[] {
  const opened: IndexRow[] = [];
  const finished: IndexRow[] = [];
  for (const { index } of part) {
    if (index !== null) (index.outcome === null ? opened : finished).push(index);
  }
  return [
    textArray(part, ({ row }) => row.records),
    textArray(part, ({ row }) => row.gid),
    integerArray(part, ({ row }) => row.seq),
    integerArray(part, ({ row }) => row.shard),
    bigintArray(part, ({ row }) => row.epoch),
    bigintArray(part, ({ row }) => row.atMs),
    ...indexArrays(opened),
    ...indexArrays(finished),
  ];
}

/** In the order of {@link indexColumnNames}. */
function indexArrays(rows: readonly IndexRow[]): readonly Buffer[] {
  return [
    textArray(rows, (row) => row.gid),
    integerArray(rows, (row) => row.shard),
    textArray(rows, (row) => row.mode),
    textArray(rows, (row) => row.name),
    textArray(rows, (row) => row.outcome),
    textArray(rows, (row) => jsonOrNull(row.cause)),
    textArray(rows, (row) => jsonOrNull(row.attention)),
    bigintArray(rows, (row) => row.startedAtMs),
    bigintArray(rows, (row) => row.deadlineAtMs),
    bigintArray(rows, (row) => row.finishedAtMs),
    textArray(rows, (row) => jsonOrNull(row.labels)),
  ];
}

function labelArrays(rows: readonly LabelRow[]): readonly Buffer[] {
  return [
    textArray(rows, ([label]) => label),
    bigintArray(rows, ([, startedAtMs]) => startedAtMs),
    textArray(rows, ([, , gid]) => gid),
  ];
}

/** What stands in the slots. Own statement, so it sees what was committed while ours waited. */
async function readSlots(
  client: pg.PoolClient,
  rows: readonly LogRow[],
): Promise<readonly LogRow[]> {
  const result = await client.query<LogRowStored>(
    `select gid, seq, shard, epoch, at_ms, records from transaction_log
     where (gid, seq) in (select * from unnest($1::text[], $2::integer[]))`,
    [rows.map((row) => row.gid), rows.map((row) => row.seq)],
  );
  return result.rows.map(logRowOf);
}
