/**
 * What an office does to purses: one statement, through a pool of the driver or (on PostgreSQL, where that
 * makes a difference) through Kysely, and nothing else. Guards: a
 * purse adds up the marks of its changes, so that its row alone shows which of them stand.
 */
import { createHash } from 'node:crypto';
import type { Settle } from '@settle/client';
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { type Shard, storeOf } from './cast.ts';
import type { Leg } from './wallet-transfers.ts';

/** The purses of one shard, as a resource. */
export interface Purses {
  /** False: the purse has not enough money. Throws what the database and the SDK throw. */
  change(gid: string, leg: Leg): Promise<boolean>;
}

/** Makes the purses of this shard a resource; connects when it is used. */
export function openPurses(
  settle: Settle,
  shard: Shard,
  options: {
    readonly url: string;
    readonly connectionsMax: number;
    readonly lockTimeoutMs: number;
    readonly isByKysely: boolean;
  },
): Purses {
  const { url, connectionsMax, lockTimeoutMs, isByKysely } = options;
  const at = { resource: `purses-${shard}`, lockTimeoutMs };
  if (storeOf[shard] === 'mysql') {
    const pool = settle.at(mysql.createPool({ uri: url, connectionLimit: connectionsMax }), at);
    return {
      async change(gid, leg) {
        const [done] = await pool.execute<mysql.ResultSetHeader>(mysqlText, valuesOf(gid, leg));
        return done.affectedRows === 1;
      },
    };
  }
  const pool = new pg.Pool({ connectionString: url, max: connectionsMax });
  // As with wallets: a link that breaks tells it by an event.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  if (isByKysely) {
    const db = settle.at(new Kysely<object>({ dialect: new PostgresDialect({ pool }) }), at);
    return {
      async change(gid, leg) {
        const query = CompiledQuery.raw(postgresText, valuesOf(gid, leg));
        return (await db.executeQuery(query)).numAffectedRows === 1n;
      },
    };
  }
  const purses = settle.at(pool, at);
  return {
    async change(gid, leg) {
      const named = { name: 'change-purse', text: postgresText };
      const { rowCount } = await purses.query({ ...named, values: valuesOf(gid, leg) });
      return rowCount === 1;
    },
  };
}

const mysqlText = `update purse set cents = cents + ?, version = version + 1, mark = mark + ?
  where purse = ? and cents >= ?`;
const postgresText = `update purse set cents = cents + $1, version = version + 1, mark = mark + $2
  where purse = $3 and cents >= $4`;

function valuesOf(gid: string, { wallet, amount }: Leg): (string | number)[] {
  return [amount, markOf(gid, { wallet, amount }), wallet, Math.max(0, -amount)];
}

/** A number for this change: so large that no two sums of them are the same by accident. */
export function markOf(gid: string, { wallet, amount }: Leg): number {
  const digest = createHash('sha256').update(`${gid}/${wallet}/${amount}`).digest();
  return digest.readUIntBE(0, 5);
}
