/**
 * The rollback of a branch with an operator's choices for dirty rows: one local transaction that
 * takes the barrier row of the rollback, restores every undo row of the gid, and leaves all or
 * nothing. Guards: of two who resolve, and of one and the rollback that is asked again and again,
 * only the first writes; and nothing is chosen for a row that is not as it was seen.
 */
import {
  type Call,
  type CallAnswer,
  limits,
  type ResolveAnswer,
  type ResolvedRow,
  type ResolveQuestion,
  type ResolveRefusal,
} from '../protocol/index.ts';
import { type Choices, choicesOf } from './choices.ts';
import { inTransaction, type ResourcePorts } from './own-transaction.ts';
import { resolveQuestionOf } from './question-body.ts';
import { asJson, fitting, notUnderstood, pageOf, type Readable, shownImages } from './shown.ts';
import type { DirtyRows, Resolved, WrittenRow } from './undo-store.ts';

/**
 * Resolves the branch of the call. `refused` inside of the answer: nothing is written. Throws what
 * the driver throws when it is not known whether it was.
 */
export async function resolveBranch<Native>(
  ports: ResourcePorts<Native>,
  call: Call,
): Promise<CallAnswer> {
  const question = resolveQuestionOf(call.payload);
  if (question === null) return notUnderstood;
  const choices = choicesOf(question.rows, question.otherwise);
  const answer =
    choices === null
      ? refusal('INVALID_REQUEST', 'a row is named twice')
      : await resolvedSoon(ports, call, { question, choices });
  return { outcome: 'done', result: asJson(answer) };
}

interface Wish {
  readonly question: ResolveQuestion;
  readonly choices: Choices;
}

const attemptsMax = 3;

/**
 * Two that resolve at once, or the rollback that is asked meanwhile, may end in a deadlock: it comes
 * at once, leaves nothing, and the next attempt meets who has won. A wait that was long is not
 * repeated: who asked would have gone by then.
 */
async function resolvedSoon<Native>(
  ports: ResourcePorts<Native>,
  call: Call,
  wish: Wish,
): Promise<ResolveAnswer> {
  const startedMs = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    const answer = await resolved(ports, call, wish);
    const isHeld = answer.kind === 'refused' && answer.code === 'LOCK_CONFLICT';
    const isLate = performance.now() - startedMs > ports.lockTimeoutMs / 2;
    if (!isHeld || isLate || attempt === attemptsMax) return answer;
  }
}

async function resolved<Native>(
  ports: ResourcePorts<Native>,
  { gid, branchId }: Call,
  { question, choices }: Wish,
): Promise<ResolveAnswer> {
  const { barrier, undo } = ports.dialect;
  let isCommitting = false;
  try {
    return await inTransaction(ports, async (session) => {
      const branch = { gid, branchId };
      if ((await barrier.block(session, branch)) === 'blocked') throw new Left(neverCommitted);
      if (!(await barrier.markRolledBack(session, branch))) throw new Left(alreadyRolledBack);
      const outcome = await undo.resolve(session, gid, choices);
      const answer = answerOf(outcome, question.bytesMax, undo.readable);
      if (answer.kind === 'refused' || question.dryRun) throw new Left(answer);
      isCommitting = true;
      return answer;
    });
  } catch (error) {
    if (error instanceof Left) return error.answer;
    // Whether a commit that failed has happened after all, nobody knows yet.
    const answer = isCommitting
      ? null
      : answerOfDatabase(error, ports.dialect.isLockTimeout(error));
    if (answer === null) throw error;
    return answer;
  }
}

/** Leaves the local transaction with an answer; nothing of it is kept. */
class Left extends Error {
  override readonly name = 'Left';
  readonly answer: ResolveAnswer;

  constructor(answer: ResolveAnswer) {
    super(answer.kind);
    this.answer = answer;
  }
}

function refusal(code: ResolveRefusal, detail: string): ResolveAnswer {
  return { kind: 'refused', code, detail: detail.slice(0, limits.detailLengthMax) };
}

// The barrier row that was taken is given back with the rest: the rollback itself takes it.
const neverCommitted = refusal(
  'NOTHING_TO_RESOLVE',
  'the local transaction of the branch is not committed, and its rollback needs nobody',
);

const alreadyRolledBack = refusal(
  'NOTHING_TO_RESOLVE',
  'the branch is rolled back in its database already, by another operator or by itself: nothing of this was done',
);

function answerOf(outcome: Resolved, bytesMax: number, readable: Readable): ResolveAnswer {
  switch (outcome.kind) {
    case 'resolved': {
      const { rows } = outcome;
      const chosenFirst = [...rows].sort((one, other) => orderOf(one) - orderOf(other));
      const shown = pageOf(chosenFirst, bytesMax, (row) => resolvedRow(row, readable));
      return { kind: 'resolved', rows: shown, rowsTotal: rows.length };
    }
    case 'dirty':
      return refusal('AT_DIRTY_ROW', dirtyDetail(outcome));
    case 'changed':
      return refusal('ROW_CHANGED', listed('changed since it was looked at', outcome.rows));
    case 'unfit':
      return refusal('INVALID_REQUEST', outcome.why);
    default:
      return outcome satisfies never;
  }
}

function orderOf({ choice }: WrittenRow): number {
  return choice === null ? 1 : 0;
}

function dirtyDetail({ row, others }: DirtyRows): string {
  const texts = [row, ...others].map(({ table, key, why }) => `${table} ${key} (${why})`);
  return listed('dirty, and no choice covers it', texts);
}

/** As many as fit, and how many there are. */
function listed(what: string, texts: readonly string[]): string {
  let text = `${texts.length === 1 ? '1 row is' : `${texts.length} rows are`} ${what}: `;
  for (const [at, one] of texts.entries()) {
    const more = texts.length - at - 1;
    const added = `${one}${more === 0 ? '' : ', '}`;
    const room = limits.detailLengthMax - 20;
    if (at > 0 && text.length + added.length > room) return `${text}and ${more + 1} more`;
    text += added;
  }
  return text;
}

function resolvedRow(row: WrittenRow, readable: Readable): ResolvedRow {
  const { table, key, choice, columns, from, to } = row;
  const changed = columns.map(({ name }) => name).filter((name) => from?.[name] !== to?.[name]);
  return fitting(changed, (detail) => {
    const { images, cut, columnsLeftOut } = shownImages([from, to], columns, detail, readable);
    const [found = null, left = null] = images;
    return { table, key, choice, from: found, to: left, cut, columnsLeftOut };
  });
}

/**
 * What the database itself said against it, in its words: a key that refers, a value that is taken, a
 * check. Such an error ends its statement or the local transaction, and we roll back: nothing is
 * written. Null: it is something else, and who asked is told that nobody knows.
 */
function answerOfDatabase(error: unknown, isLockTimeout: boolean): ResolveAnswer | null {
  if (!(error instanceof Error)) return null;
  if (isLockTimeout) {
    return refusal(
      'LOCK_CONFLICT',
      `another session holds a row, nothing is written: ${error.message}`,
    );
  }
  const state = stateOf(error);
  if (state === null || !refusedClasses.has(state.slice(0, 2))) return null;
  const detail = 'detail' in error && typeof error.detail === 'string' ? ` (${error.detail})` : '';
  return refusal('REFUSED', `the database refuses it: ${error.message}${detail}`);
}

/** SQLSTATE: `code` of pg, `sqlState` of mysql2. */
function stateOf(error: Error): string | null {
  if ('sqlState' in error && typeof error.sqlState === 'string') return error.sqlState;
  if (!('code' in error) || typeof error.code !== 'string') return null;
  return /^[0-9A-Z]{5}$/.test(error.code) ? error.code : null;
}

/**
 * Data, integrity, syntax or access, views, raised by PL/pgSQL, raised by `signal`, unsupported; and
 * what MySQL has no class for, of which locks have been told apart.
 */
const refusedClasses: ReadonlySet<string> = new Set([
  ...['22', '23', '42', '44', 'P0', '45', '0A', 'HY'],
]);
