/**
 * Mode `at`: accounts in databases that are resources of the bank, one row changed in each of them by
 * plain SQL; and the same rows changed by plain local transactions on the same pools, which is what
 * that is compared with. The databases are visited one after the other, as business code does it,
 * and always in the same order, so that two transactions never wait for each other.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settle } from '@settle/client';
import pg from 'pg';
import { endingOf } from './endings.ts';
import type { Attempt } from './load.ts';
import type { WorkerSettings } from './messages.ts';

/** In each database: so many that two transactions under way seldom meet. */
const accountsMany = 100_000;
/** Of one pool: more than the local transactions under way by default, and room for phase two. */
const connectionsMax = 24;
const migrations = join(import.meta.dirname, '..', '..', 'migrations', 'participant', 'postgres');

/** The databases of one process. */
export interface Accounts {
  /** A global transaction that changes one row in each database. */
  readonly transact: Attempt;
  /** The same rows, each by `begin`, `update`, `commit` of its own; nothing of Settle. */
  readonly plain: Attempt;
  close(): Promise<void>;
}

/** Creates the tables of an empty database and fills them. */
export async function createAccounts(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    for (const file of readdirSync(migrations).sort()) {
      await pool.query(readFileSync(join(migrations, file), 'utf8'));
    }
    await pool.query(createTable);
    await pool.query(fill, [accountsMany]);
    // Otherwise the server itself does it, in the middle of a round.
    await pool.query('vacuum analyze account');
  } finally {
    await pool.end();
  }
}

const createTable = `create table account (
  id bigint primary key, owner text not null, cents bigint not null)`;
const fill = `insert into account
  select id, 'owner ' || id, 100000 from generate_series(0, $1::integer - 1) id`;

/** Named, so that PostgreSQL plans it once on each connection, as a service that cares would have it. */
const update = {
  name: 'change-account',
  text: 'update account set cents = cents + $1 where id = $2',
};

/** Makes the databases resources of this service. */
export function openAccounts(
  settle: Settle,
  urls: readonly string[],
  settings: WorkerSettings,
): Accounts {
  const pools = urls.map(
    (connectionString) => new pg.Pool({ connectionString, max: connectionsMax }),
  );
  const shards = pools.map((pool, index) => settle.at(pool, { resource: `shard${index + 1}` }));
  const count = settings.atRows === 'one' ? 1 : accountsMany;
  const wait = settings.wait === 'decided' ? 'decided' : 'completed';
  const options = { name: 'transfer', wait } as const;
  return {
    transact: ended(settings, () =>
      settle.transaction(options, async () => {
        for (const shard of shards) await shard.query({ ...update, values: [1, anyOf(count)] });
      }),
    ),
    plain: ended(settings, async () => {
      for (const pool of pools) await changeAlone(pool, anyOf(count));
    }),
    async close() {
      await Promise.all(pools.map((pool) => pool.end()));
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

async function changeAlone(pool: pg.Pool, id: number): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query({ ...update, values: [1, id] });
    await client.query('commit');
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
}
