/** Functions that a statement calls: what they may change is seen by nobody. */
import type { Catalog, FunctionName, Session } from './facts.ts';
import { unsupported } from './refusal.ts';

/** Throws AT_UNSUPPORTED_SQL when one of them may change rows. */
export async function refuseWriters(
  catalog: Catalog,
  session: Session,
  functions: readonly FunctionName[],
): Promise<void> {
  if (functions.length === 0) return;
  const writers = await catalog.writers(session, functions);
  if (writers.length === 0) return;
  throw unsupported(
    `the function ${writers.join(', ')} may change rows unseen`,
    'declare it `stable` if it only reads, or write its statements here instead',
  );
}
