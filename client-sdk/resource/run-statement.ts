/**
 * One statement of the user in its local transaction, whatever it is: read, session, control of his
 * own transaction, or a write with its images. Invariant: what was refused before it ran has done
 * nothing; anything else that failed leaves only a rollback.
 */
import type { UserStatement } from './database.ts';
import type { TableFacts } from './facts.ts';
import type { Line } from './line.ts';
import type { WriteStatement } from './statement.ts';
import { refuseHazards } from './steps.ts';
import type { Owner, Turns } from './turns.ts';
import { control } from './user-transaction.ts';
import { refuseWriters } from './writers.ts';

/** Runs it; the caller has the turn. Throws as `LocalTransaction.run` does. */
export async function runStatement<Native, Result>(
  line: Line<Native>,
  { turns, owner }: { readonly turns: Turns; readonly owner: Owner },
  statement: UserStatement<Native, Result>,
): Promise<Result> {
  const { dialect, journal, session } = line;
  const { text } = statement;
  const analysis = await dialect.analyze(text);
  // After a deadlock MySQL has no transaction left: what came now would be committed by itself.
  if (analysis.kind !== 'control') journal.refuseFailed();
  switch (analysis.kind) {
    case 'control': {
      const perform = (own: string): Promise<Result> => line.perform(statement, own);
      const ports = { journal, turns, statements: dialect.statements, perform };
      return await control(owner, { ...analysis, text }, ports);
    }
    case 'read':
    case 'session':
      if (analysis.kind === 'read') {
        await refuseWriters(dialect.catalog, session, analysis.functions);
      }
      return await line.perform(statement, text);
    case 'write':
      return await runWrite(line, analysis, statement);
    default:
      return analysis satisfies never;
  }
}

async function runWrite<Native, Result>(
  line: Line<Native>,
  write: WriteStatement,
  statement: UserStatement<Native, Result>,
): Promise<Result> {
  const { dialect, journal, session } = line;
  const { catalog } = dialect;
  const facts = await Promise.all(write.tables.map((table) => catalog.factsOf(session, table)));
  for (const one of facts) refuseHazards(write, one);
  await refuseWriters(catalog, session, write.functions);
  await passGuards(line, write, facts);
  line.willWrite();
  let hasRun = false;
  const job = {
    ...{ write, facts, statement },
    session: {
      query: async (text: string, parameters?: readonly unknown[]) => {
        // A look changes nothing, unless it fails: a deadlock takes the transaction with it.
        try {
          return await line.asLockConflict(line.waiting.query(text, parameters));
        } catch (error) {
          hasRun = true;
          throw error;
        }
      },
    },
    perform: (text: string, parameters: readonly unknown[]) => {
      hasRun = true;
      return line.perform(statement, text, parameters);
    },
  };
  try {
    const { result, steps, isFree = false } = await dialect.write(job);
    journal.add(steps, isFree);
    return result;
  } catch (error) {
    if (hasRun) journal.fail(error);
    throw error;
  }
}

/** Costs a round trip, once, and only where a guard is. */
async function passGuards<Native>(
  line: Line<Native>,
  { change }: WriteStatement,
  facts: readonly TableFacts[],
): Promise<void> {
  const { dialect, journal, session } = line;
  const isMet = change !== 'lock' && facts.some(({ isGuarded }) => isGuarded);
  if (!isMet || journal.hasPass) return;
  await line.failing(session.query(dialect.statements.passGuards));
  journal.hasPass = true;
}
