/**
 * Runs a random case and says what is wrong with its end: rolled back, both databases are as they
 * were; committed, they are as if the same statements had run without Settle. Everything is looked
 * at outside of Settle.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { type Settle, SettleError } from '../../../client-sdk/index.ts';
import type { Action, BlockItem, RandomCase, Side } from './case.ts';
import type { RandomStatement } from './statements.ts';
import { literal, type RandomPair, type RandomTable } from './tables.ts';

/** Two databases under Settle, and one plain copy of each. */
export interface RandomWorld {
  readonly settle: Settle;
  readonly plain: readonly [pg.Pool, pg.Pool];
  readonly fronts: readonly [pg.Pool, pg.Pool];
  /** The second database as another resource, whose local commit will fail. */
  readonly late: pg.Pool;
  readonly copies: readonly [pg.Pool, pg.Pool];
}

/** How often what came about: a run in which nothing worked has tested nothing. */
export interface Tally {
  statements: number;
  refused: number;
  failed: number;
  committed: number;
  rolledBack: number;
  undoneRows: number;
}

type Queryable = Pick<pg.Pool, 'query'>;

/** What was sent and what came back: the copy has to answer the same. */
type Sent =
  | {
      readonly kind: 'statement';
      readonly side: Side;
      readonly sql: RandomStatement;
      answer: Answer;
    }
  | { readonly kind: 'control'; readonly side: Side; readonly text: string }
  | { readonly kind: 'end' };

type Answer =
  | { readonly kind: 'rows'; readonly count: number | null; readonly rows: readonly string[] }
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly code: string };

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

class Planned extends Error {}

/** Throws with what is wrong. Leaves rows in its tables; see {@link reset}. */
export async function runCase(
  world: RandomWorld,
  pair: RandomPair,
  given: RandomCase,
  tally: Tally,
): Promise<void> {
  await reset(world, pair, given);
  const before = await contents(world.plain, pair);
  expectSame(await contents(world.copies, pair), before, 'the copy differs from the start on');
  const sent: Sent[] = [];
  const { gid, error } = await transact(world, given, sent, tally);
  const phase = await endOf(world.settle, gid);
  const after = await contents(world.plain, pair);
  await expectNoUndo(world, gid);
  if (error === null) {
    if (phase !== 'committed' && phase !== 'local') throw new Error(`resolved, yet ${phase}`);
    tally.committed += 1;
    await compareWithCopy(world, pair, { sent, after });
    return;
  }
  tally.rolledBack += 1;
  const isExpected = error instanceof Planned || given.ending !== 'commit';
  const isTold = sent.some((one) => one.kind === 'statement' && one.answer.kind !== 'rows');
  if (!isExpected && !isTold && !isForeignKey(error)) throw error;
  expectSame(after, before, `rolled back (${String(error)}), yet not as before`);
}

/** One that is checked at the local commit. */
function isForeignKey(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23503';
}

async function transact(world: RandomWorld, given: RandomCase, sent: Sent[], tally: Tally) {
  const { settle, late } = world;
  let gid = '';
  const timeout = given.ending === 'deadline' ? 30 : 30_000;
  try {
    await settle.transaction({ name: 'random', timeout }, async (tx) => {
      gid = tx.gid;
      for (const actions of given.joined) {
        const headers = await tx.headers();
        await outside(() =>
          settle.join(headers, async () => {
            await perform(world, given, actions, sent);
          }),
        );
        sent.push({ kind: 'end' });
        tally.undoneRows += await undoRowsOf(world, gid);
      }
      if (given.ending === 'deadline') await tx.headers();
      await perform(world, given, given.own, sent);
      if (given.ending === 'throw') throw new Planned('as planned');
      if (given.ending === 'late') await late.query('insert into settled_late.late values (1, 2)');
      if (given.ending === 'deadline') await endOf(settle, gid);
    });
    sent.push({ kind: 'end' });
    return { gid, error: null };
  } catch (error) {
    return { gid, error };
  } finally {
    for (const one of sent) if (one.kind === 'statement') count(one.answer, tally);
  }
}

function count(answer: Answer, tally: Tally): void {
  tally.statements += 1;
  if (answer.kind === 'refused') tally.refused += 1;
  if (answer.kind === 'failed') tally.failed += 1;
}

async function perform(
  { fronts }: RandomWorld,
  { isStubborn }: RandomCase,
  actions: readonly Action[],
  sent: Sent[],
): Promise<void> {
  for (const action of actions) {
    const front = fronts[action.side];
    if (action.kind === 'block') {
      await performBlock(front, action, sent);
      continue;
    }
    const answer = await send(front, action.statement);
    sent.push({ kind: 'statement', side: action.side, sql: action.statement, answer });
    if (answer.kind === 'failed' && !isStubborn) throw new Planned(answer.code);
  }
}

/** An error goes back to the last savepoint, or else it ends the block. */
async function performBlock(
  front: pg.Pool,
  { side, items, end }: Extract<Action, { kind: 'block' }>,
  sent: Sent[],
): Promise<void> {
  const client = await front.connect();
  const control = async (text: string) => {
    await client.query(text);
    sent.push({ kind: 'control', side, text });
  };
  const savepoints: string[] = [];
  await control('begin');
  for (const item of items) {
    if (item.kind !== 'statement') {
      await performSavepoint(item, savepoints, control);
      continue;
    }
    const answer = await send(client, item.statement);
    sent.push({ kind: 'statement', side, sql: item.statement, answer });
    if (answer.kind === 'rows') continue;
    const last = savepoints.at(-1);
    if (last === undefined) {
      await control('rollback');
      client.release();
      return;
    }
    await control(`rollback to savepoint ${last}`);
  }
  if (end === 'release') sent.push({ kind: 'control', side, text: 'rollback' });
  else await control(end);
  client.release();
}

async function performSavepoint(
  { kind, name }: Exclude<BlockItem, { kind: 'statement' }>,
  savepoints: string[],
  control: (text: string) => Promise<void>,
): Promise<void> {
  if (kind === 'savepoint') {
    await control(`savepoint ${name}`);
    savepoints.push(name);
    return;
  }
  const at = savepoints.lastIndexOf(name);
  if (at === -1) return;
  await control(kind === 'release' ? `release ${name}` : `rollback to ${name}`);
  savepoints.length = kind === 'release' ? at : at + 1;
}

async function send(to: Queryable, { text, parameters }: RandomStatement): Promise<Answer> {
  try {
    const { rowCount, rows } = await to.query(text, [...parameters]);
    return { kind: 'rows', count: rowCount, rows: rows.map((row) => JSON.stringify(row)).sort() };
  } catch (error) {
    if (error instanceof SettleError && error.code === 'AT_UNSUPPORTED_SQL') {
      return { kind: 'refused' };
    }
    const isOfDatabase = error instanceof Error && 'code' in error;
    if (!isOfDatabase || error instanceof SettleError) throw error;
    return { kind: 'failed', code: String(error.code) };
  }
}

/** The same statements, each local transaction in a plain one. Those that were refused stay out. */
async function compareWithCopy(
  { copies }: RandomWorld,
  pair: RandomPair,
  { sent, after }: { readonly sent: readonly Sent[]; readonly after: readonly string[] },
): Promise<void> {
  const clients = [await copies[0].connect(), await copies[1].connect()] as const;
  const both = (text: string) => Promise.all(clients.map((client) => client.query(text)));
  try {
    await both('begin');
    for (const one of sent) {
      if (one.kind === 'end') await both('commit; begin');
      else if (one.kind === 'control') await clients[one.side].query(asSavepoint(one.text));
      else if (one.answer.kind !== 'refused') {
        const answer = await send(clients[one.side], one.sql);
        if (isDeepStrictEqual(answer, one.answer)) continue;
        // Which of two rows that meet in a unique index comes first is up to the plan.
        if (isUnique(answer) || isUnique(one.answer)) return;
        expectSame(answer, one.answer, `plain PostgreSQL answers otherwise to ${one.sql.text}`);
      }
    }
    await both('commit');
  } finally {
    for (const client of clients) {
      await client.query('rollback');
      client.release();
    }
  }
  expectSame(after, await contents(copies, pair), 'committed, yet not as plain PostgreSQL');
}

function isUnique(answer: Answer): boolean {
  return answer.kind === 'failed' && answer.code === '23505';
}

function asSavepoint(text: string): string {
  if (text === 'begin') return 'savepoint block';
  if (text === 'commit') return 'release savepoint block';
  return text === 'rollback' ? 'rollback to savepoint block' : text;
}

/** Empty tables with the rows of the case, and no undo row of a case before. */
async function reset({ plain, copies }: RandomWorld, pair: RandomPair, given: RandomCase) {
  const { parent, child } = pair;
  await Promise.all(
    [...plain, ...copies].map(async (pool, index) => {
      // A delete takes a tenth of a truncate's time on small tables.
      await pool.query(`delete from ${child.name}; delete from ${parent.name};
        select setval(c.oid::regclass, 1, false) from pg_class c join pg_depend d on d.objid = c.oid
          where c.relkind = 'S' and d.refobjid in (${regclass(parent)}, ${regclass(child)})`);
      for (const { text, parameters } of given.rows[index % 2] ?? []) {
        await pool.query(text, [...parameters]).catch((error: unknown) => {
          const isMisfit = error instanceof Error && 'code' in error && /^2/.test(`${error.code}`);
          if (!isMisfit) throw error;
        });
      }
    }),
  );
}

function regclass({ name }: RandomTable): string {
  return `${literal(name)}::regclass`;
}

/** Every row of both tables in both databases, as text under fixed settings, in a fixed order. */
async function contents(
  pools: readonly [pg.Pool, pg.Pool],
  { parent, child }: RandomPair,
): Promise<readonly string[]> {
  const rows = [parent, child].map(({ name }) => `select t::text as row from ${name} t`);
  const found = await Promise.all(
    pools.map((pool) =>
      pool.query(`set timezone to 'UTC'; set extra_float_digits to 1; set datestyle to 'ISO, YMD';
        ${rows.map((each) => `select row, md5(row) from (${each}) t order by row collate "C"`).join(';')}`),
    ),
  );
  return found.flatMap((answers) => JSON.stringify(rowsIn(answers)));
}

/** Of a text of several statements the driver gives a list. */
function rowsIn(answers: unknown): readonly unknown[] {
  if (!Array.isArray(answers)) throw new Error('expected the answers to several statements');
  return answers.flatMap(({ rows }) => [rows]).filter((rows) => rows.length > 0);
}

async function undoRowsOf({ plain }: RandomWorld, gid: string): Promise<number> {
  const counts = await Promise.all(
    plain.map((pool) => pool.query('select 1 from settle_undo where gid = $1', [gid])),
  );
  return counts.reduce((sum, { rows }) => sum + rows.length, 0);
}

async function expectNoUndo(world: RandomWorld, gid: string): Promise<void> {
  const left = await undoRowsOf(world, gid);
  if (left > 0) throw new Error(`${left} undo rows of ${gid} are left`);
}

/** Waits until it is over; `local` when the coordinator never heard of it. */
async function endOf(settle: Settle, gid: string): Promise<string> {
  for (;;) {
    try {
      const view = await settle.get(gid);
      if (view.phase === 'committed' || view.phase === 'rolledBack') return view.phase;
      if (view.attention !== null) throw new Error(`stuck: ${JSON.stringify(view)}`);
    } catch (error) {
      if (error instanceof SettleError && error.code === 'NOT_FOUND') return 'local';
      throw error;
    }
  }
}

function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(
    `${what}\n  is     ${JSON.stringify(actual)}\n  not    ${JSON.stringify(expected)}`,
  );
}
