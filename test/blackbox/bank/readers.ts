/** Readers: look at all balances, over and over, straight at the shards, and write down what they see. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Shard } from './cast.ts';
import { historyFile, openHistory } from './history.ts';
import type { ShardDatabase } from './shard-database.ts';

/** A reader at work; `stop` resolves when its last read is written. Rejects what the shards threw. */
export interface Reader {
  stop(): Promise<void>;
}

const betweenMs = 150;

/** Starts a reader. One read is one statement per shard, all three at the same time. */
export function startReader(
  name: string,
  folder: string,
  databases: ReadonlyMap<Shard, ShardDatabase>,
): Reader {
  const history = openHistory(historyFile(folder, name), name);
  let isOver = false;
  const read = async (): Promise<void> => {
    for (let number = 0; !isOver; number += 1) {
      history.write({ type: 'invoke', f: 'read', gid: null, value: number });
      const seen = await Promise.all([...databases].map(([shard, db]) => readOne(shard, db)));
      const value = { number, accounts: seen.flat() };
      history.write({ type: 'ok', f: 'read', gid: null, value });
      await pause(betweenMs);
    }
  };
  const reading = read().finally(() => history.close());
  // Heard by `stop`; until then nobody else would.
  reading.catch(() => undefined);
  return {
    stop() {
      isOver = true;
      return reading;
    },
  };
}

async function readOne(shard: Shard, db: ShardDatabase) {
  const rows = await db.selectFrom('account').select(['account', 'cents', 'held']).execute();
  return rows.map((row) => ({ shard, ...row }));
}
