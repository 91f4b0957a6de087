/**
 * Mode `at`: accounts in databases that are resources of the bank, one row changed in each of them by
 * plain SQL; and the same rows changed by plain local transactions on the same pools, which is what
 * that is compared with. The databases are visited one after the other, as business code does it,
 * and always in the same order, so that two transactions never wait for each other.
 */
import type { Settle } from '@settle/client';
import { accountsMany, openAccountDatabase } from './account-database.ts';
import { endingOf } from './endings.ts';
import type { Attempt } from './load.ts';
import type { WorkerSettings } from './messages.ts';

/** The databases of one process. */
export interface Accounts {
  /** A global transaction that changes one row in each database. */
  readonly transact: Attempt;
  /** The same rows, each by `begin`, `update`, `commit` of its own; nothing of Settle. */
  readonly plain: Attempt;
  close(): Promise<void>;
}

/** Makes the databases resources of this service. */
export function openAccounts(
  settle: Settle,
  urls: readonly string[],
  settings: WorkerSettings,
): Accounts {
  const shards = urls.map((url, index) => openAccountDatabase(settle, url, `shard${index + 1}`));
  const count = settings.atRows === 'one' ? 1 : accountsMany;
  const wait = settings.wait === 'decided' ? 'decided' : 'completed';
  const options = { name: 'transfer', wait } as const;
  return {
    transact: ended(settings, () =>
      settle.transaction(options, async () => {
        for (const shard of shards) await shard.change(anyOf(count));
      }),
    ),
    plain: ended(settings, async () => {
      for (const shard of shards) await shard.changeAlone(anyOf(count));
    }),
    async close() {
      await Promise.all(shards.map((shard) => shard.close()));
    },
  };
}

function ended(settings: WorkerSettings, work: () => Promise<void>): Attempt {
  return async () => {
    try {
      await work();
      return 'wished';
    } catch (error) {
      return endingOf(error, settings);
    }
  };
}

function anyOf(count: number): number {
  return Math.floor(Math.random() * count);
}
