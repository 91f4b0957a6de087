/**
 * What `--break barrier` gives a bank instead of its barrier: an adapter that finds every row free and
 * every try done. It satisfies the SDK's seam for databases of one's own and guards nothing.
 */
import type { Kysely, Transaction } from 'kysely';
import type { Barrier } from '../../../client-sdk/participant/barrier.ts';
import type { LedgerTables } from '../../../server/demo/ledger.ts';

export function unguarded(db: Kysely<LedgerTables>): Barrier<Transaction<LedgerTables>> {
  return {
    transact: (work) =>
      db.transaction().execute((trx) =>
        work({
          trx,
          // A `blocked` row is the empty rollback; here nothing is ever seen as empty.
          insert: async (_key, state) => state === 'done',
          read: async () =>
            ['try', 'run'].map((operation) => ({ operation, state: 'done', result: null })),
          finish: async () => undefined,
        }),
      ),
  };
}
