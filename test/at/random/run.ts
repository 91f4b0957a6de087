/**
 * Runs a random case and says what is wrong with its end: rolled back, both databases are as they
 * were; committed, they are as if the same statements had run without Settle. Everything is looked
 * at outside of Settle.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { isDeepStrictEqual } from 'node:util';
import { type Settle, SettleError } from '../../../client-sdk/index.ts';
import type { Action, BlockItem, RandomCase, Side } from './case.ts';
import type { Outcome, RandomPool, RandomWorld, Sender } from './database.ts';
import type { RandomStatement } from './pieces.ts';

/** How often what came about: a run in which nothing worked has tested nothing. */
export interface Tally {
  statements: number;
  refused: number;
  failed: number;
  committed: number;
  rolledBack: number;
  undoneRows: number;
}

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
  | ({ readonly kind: 'rows' } & Outcome)
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly code: string; readonly isUpToPlan: boolean };

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

class Planned extends Error {}

/** Throws with what is wrong. Leaves rows in its tables; see {@link reset}. */
export async function runCase<Pair>(
  world: RandomWorld<Pair>,
  pair: Pair,
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
  // Some foreign keys are checked at the local commit.
  const isForeignKey = world.failureOf(error)?.kind === 'foreignKey';
  if (!isExpected && !isTold && !isForeignKey) throw error;
  expectSame(after, before, `rolled back (${String(error)}), yet not as before`);
}

async function transact<Pair>(
  world: RandomWorld<Pair>,
  given: RandomCase,
  sent: Sent[],
  tally: Tally,
) {
  const { settle, late, lateStatement } = world;
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
      if (given.ending === 'late') await late.send(lateStatement);
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

async function perform<Pair>(
  world: RandomWorld<Pair>,
  { isStubborn }: RandomCase,
  actions: readonly Action[],
  sent: Sent[],
): Promise<void> {
  for (const action of actions) {
    const front = world.fronts[action.side];
    if (action.kind === 'block') {
      await performBlock({ world, front, sent }, action);
      continue;
    }
    const answer = await send(world, front, action.statement);
    sent.push({ kind: 'statement', side: action.side, sql: action.statement, answer });
    if (answer.kind === 'failed' && !isStubborn) throw new Planned(answer.code);
  }
}

interface BlockRun<Pair> {
  readonly world: RandomWorld<Pair>;
  readonly front: RandomPool;
  readonly sent: Sent[];
}

/** An error goes back to the last savepoint, or else it ends the block. */
async function performBlock<Pair>(
  { world, front, sent }: BlockRun<Pair>,
  { side, items, end }: Extract<Action, { kind: 'block' }>,
): Promise<void> {
  const client = await front.connect();
  const control = async (text: string) => {
    await client.send({ text, parameters: [] });
    sent.push({ kind: 'control', side, text });
  };
  const savepoints: string[] = [];
  await control('begin');
  for (const item of items) {
    if (item.kind !== 'statement') {
      if (world.savepointsReplace) forgetReplaced(item, savepoints);
      await performSavepoint(item, savepoints, control);
      continue;
    }
    const answer = await send(world, client, item.statement);
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

type SavepointItem = Exclude<BlockItem, { kind: 'statement' }>;

function forgetReplaced({ kind, name }: SavepointItem, savepoints: string[]): void {
  const at = savepoints.indexOf(name);
  if (kind === 'savepoint' && at !== -1) savepoints.splice(at, 1);
}

async function performSavepoint(
  { kind, name }: SavepointItem,
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
  await control(kind === 'release' ? `release savepoint ${name}` : `rollback to ${name}`);
  savepoints.length = kind === 'release' ? at : at + 1;
}

async function send<Pair>(
  { failureOf }: RandomWorld<Pair>,
  to: Sender,
  statement: RandomStatement,
): Promise<Answer> {
  try {
    return { kind: 'rows', ...(await to.send(statement)) };
  } catch (error) {
    if (error instanceof SettleError && error.code === 'AT_UNSUPPORTED_SQL') {
      return { kind: 'refused' };
    }
    const failure = failureOf(error);
    if (failure === null) throw error;
    return { kind: 'failed', code: failure.code, isUpToPlan: failure.isUpToPlan };
  }
}

/** The same statements, each local transaction in a plain one. Those that were refused stay out. */
async function compareWithCopy<Pair>(
  world: RandomWorld<Pair>,
  pair: Pair,
  { sent, after }: { readonly sent: readonly Sent[]; readonly after: readonly string[] },
): Promise<void> {
  const { copies } = world;
  const clients = [await copies[0].connect(), await copies[1].connect()] as const;
  const both = (text: string) =>
    Promise.all(clients.map((client) => client.send({ text, parameters: [] })));
  try {
    await both('begin');
    for (const one of sent) {
      if (one.kind === 'end') {
        await both('commit');
        await both('begin');
      } else if (one.kind === 'control') {
        await clients[one.side].send({ text: asSavepoint(one.text), parameters: [] });
      } else if (one.answer.kind === 'refused') {
        // Nobody knows whether it has run, and drawn.
        if (one.sql.mayDraw === true) return;
      } else {
        const answer = await send(world, clients[one.side], one.sql);
        if (isDeepStrictEqual(answer, one.answer)) continue;
        // Which of two rows that meet in a unique index comes first is up to the plan.
        if (isUpToPlan(answer) || isUpToPlan(one.answer)) return;
        expectSame(one.answer, answer, `the plain database answers otherwise to ${one.sql.text}`);
      }
    }
    await both('commit');
  } finally {
    for (const client of clients) {
      await client.send({ text: 'rollback', parameters: [] });
      client.release();
    }
  }
  expectSame(after, await contents(copies, pair), 'committed, yet not as the plain database');
}

function isUpToPlan(answer: Answer): boolean {
  return answer.kind === 'failed' && answer.isUpToPlan;
}

function asSavepoint(text: string): string {
  if (text === 'begin') return 'savepoint block';
  if (text === 'commit') return 'release savepoint block';
  return text === 'rollback' ? 'rollback to savepoint block' : text;
}

/** Empty tables with the rows of the case. */
async function reset<Pair>(
  { plain, copies, failureOf }: RandomWorld<Pair>,
  pair: Pair,
  given: RandomCase,
): Promise<void> {
  await Promise.all(
    [...plain, ...copies].map(async (database, index) => {
      await database.empty(pair);
      for (const statement of given.rows[index % 2] ?? []) {
        await database.send(statement).catch((error: unknown) => {
          const kind = failureOf(error)?.kind ?? 'other';
          if (kind === 'other') throw error;
        });
      }
    }),
  );
}

/** Of both. */
async function contents<Pair>(
  databases: RandomWorld<Pair>['plain'],
  pair: Pair,
): Promise<readonly string[]> {
  return (await Promise.all(databases.map((database) => database.contents(pair)))).flat();
}

async function undoRowsOf<Pair>({ plain }: RandomWorld<Pair>, gid: string): Promise<number> {
  const counts = await Promise.all(plain.map((database) => database.undoRows(gid)));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function expectNoUndo<Pair>(world: RandomWorld<Pair>, gid: string): Promise<void> {
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
