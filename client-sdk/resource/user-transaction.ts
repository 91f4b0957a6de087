/**
 * The user's own `begin … commit` within the local transaction: savepoints in it, for the local
 * transaction itself ends with the scope. Invariant: a commit of the user's keeps nothing after a
 * statement of it has failed.
 */
import type { DialectStatements } from './dialect.ts';
import type { Journal, Savepoint } from './journal.ts';
import { unsupported } from './refusal.ts';
import type { ControlStatement } from './statement.ts';
import type { Owner, Turns } from './turns.ts';

/** What it is run with. */
export interface UserTransactionPorts<Result> {
  readonly journal: Journal;
  readonly turns: Turns;
  readonly statements: DialectStatements;
  /** Runs this text in place of the user's. */
  readonly perform: (text: string) => Promise<Result>;
}

/**
 * Runs one statement that begins, ends or divides a transaction. AT_UNSUPPORTED_SQL on a pool, and
 * for an end without a begin on the same connection.
 */
export async function control<Result>(
  owner: Owner,
  { verb, name, text }: ControlStatement & { readonly text: string },
  ports: UserTransactionPorts<Result>,
): Promise<Result> {
  const { journal, turns, statements, perform } = ports;
  if (owner === null) {
    throw unsupported(`${verb} on a pool`, 'take a connection from the pool for a transaction');
  }
  const own = journal.nextName;
  if (verb === 'begin') {
    const result = await perform(statements.savepoint(own));
    turns.hold(owner);
    journal.mark(own);
    return result;
  }
  const begun = begunBy(owner, verb, ports);
  switch (verb) {
    case 'commit':
    case 'rollback':
      return await end(owner, { verb, begun }, ports);
    case 'savepoint': {
      const result = await perform(text);
      journal.mark(name ?? own);
      return result;
    }
    case 'rollbackTo': {
      const result = await perform(text);
      journal.heal(name ?? own);
      return result;
    }
    case 'release': {
      const result = await perform(text);
      if (name !== null) journal.release(name);
      return result;
    }
    default:
      return verb satisfies never;
  }
}

async function end<Result>(
  owner: object,
  { verb, begun: { name } }: { readonly verb: 'commit' | 'rollback'; readonly begun: Savepoint },
  ports: UserTransactionPorts<Result>,
): Promise<Result> {
  const { journal, turns, statements, perform } = ports;
  const failure = verb === 'commit' ? journal.failure : null;
  const isKept = verb === 'commit' && failure === null;
  const result = isKept ? await perform(statements.release(name)) : await takeBack(name, ports);
  journal.forgetSavepoints();
  turns.free(owner);
  if (failure === null) return result;
  const why = 'a statement had failed, so this rolled back instead of committing';
  throw new Error(why, { cause: failure.error });
}

/**
 * After a deadlock MySQL has no savepoint left. The user's rollback is none the less one, and what
 * had failed stays the reason why nothing of the whole may be committed.
 */
async function takeBack<Result>(
  name: string,
  { journal, statements, perform }: UserTransactionPorts<Result>,
): Promise<Result> {
  const { failure } = journal;
  try {
    const result = await perform(statements.rollbackTo(name));
    journal.heal(name);
    return result;
  } catch (error) {
    if (failure === null) throw error;
    return await perform('rollback');
  }
}

function begunBy<Result>(
  owner: object,
  verb: string,
  { journal, turns }: UserTransactionPorts<Result>,
): Savepoint {
  const { begun } = journal;
  if (begun === undefined || !turns.isHeldBy(owner)) {
    throw unsupported(`${verb} without begin`, 'begin on the same connection first');
  }
  return begun;
}
