/**
 * One database with accounts for mode `at`, on PostgreSQL or MySQL/MariaDB: its tables, and the same
 * statement through a resource and past it. Invariant: both ways send the user's text as prepared as
 * his driver can, so that the difference between them is Settle.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settle } from '@settle/client';
import mysql from 'mysql2/promise';
import pg from 'pg';

/** In each database: so many that two transactions under way seldom meet. */
export const accountsMany = 100_000;
/** Of one pool: more than the local transactions under way by default, and room for phase two. */
const connectionsMax = 24;
const migrations = join(import.meta.dirname, '..', '..', 'migrations', 'participant');

/** A database that is a resource as well. */
export interface AccountDatabase {
  /** Through the resource: in the local transaction of the scope that runs. */
  change(id: number): Promise<void>;
  /** By `begin`, `update`, `commit` of its own; nothing of Settle. */
  changeAlone(id: number): Promise<void>;
  close(): Promise<void>;
}

/** Creates the tables of an empty database and fills them. */
export function createAccounts(url: string): Promise<void> {
  return isMysql(url) ? createOnMysql(url) : createOnPostgres(url);
}

/** Makes the database a resource of this service. */
export function openAccountDatabase(
  settle: Settle,
  url: string,
  resource: string,
): AccountDatabase {
  return isMysql(url) ? openOnMysql(settle, url, resource) : openOnPostgres(settle, url, resource);
}

function isMysql(url: string): boolean {
  return url.startsWith('mysql:');
}

function migrationsOf(folder: string): readonly string[] {
  const path = join(migrations, folder);
  return readdirSync(path)
    .sort()
    .map((file) => readFileSync(join(path, file), 'utf8'));
}

const createTable = `create table account (
  id bigint primary key, owner varchar(40) not null, cents bigint not null)`;

async function createOnPostgres(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const fill = `insert into account
    select id, 'owner ' || id, 100000 from generate_series(0, $1::integer - 1) id`;
  try {
    for (const text of [...migrationsOf('postgres'), createTable]) await pool.query(text);
    await pool.query(fill, [accountsMany]);
    // Otherwise the server itself does it, in the middle of a round.
    await pool.query('vacuum analyze account');
  } finally {
    await pool.end();
  }
}

async function createOnMysql(url: string): Promise<void> {
  const connection = await mysql.createConnection({ uri: url, multipleStatements: true });
  const digits = Array.from({ length: 10 }, (_, digit) => `select ${digit} as d`).join(
    ' union all ',
  );
  const places = Array.from({ length: 5 }, (_, place) => `n${place}.d * ${10 ** place}`).join(
    ' + ',
  );
  const tables = Array.from({ length: 5 }, (_, place) => `(${digits}) n${place}`).join(', ');
  const fill = `insert into account
    select id, concat('owner ', id), 100000 from (select ${places} as id from ${tables}) ids
    where id < ?`;
  try {
    for (const text of [...migrationsOf('mysql'), createTable]) await connection.query(text);
    await connection.query(fill, [accountsMany]);
    await connection.query('analyze table account');
  } finally {
    await connection.end();
  }
}

function openOnPostgres(settle: Settle, url: string, resource: string): AccountDatabase {
  const pool = new pg.Pool({ connectionString: url, max: connectionsMax });
  const shard = settle.at(pool, { resource });
  // Named, so that PostgreSQL plans it once on each connection, as a service that cares would have it.
  const update = {
    name: 'change-account',
    text: 'update account set cents = cents + $1 where id = $2',
  };
  return {
    async change(id) {
      await shard.query({ ...update, values: [1, id] });
    },
    async changeAlone(id) {
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
    },
    close: () => pool.end(),
  };
}

function openOnMysql(settle: Settle, url: string, resource: string): AccountDatabase {
  const pool = mysql.createPool({ uri: url, connectionLimit: connectionsMax });
  const shard = settle.at(pool, { resource });
  const update = 'update account set cents = cents + ? where id = ?';
  return {
    // Prepared by the driver, once on each connection.
    async change(id) {
      await shard.execute(update, [1, id]);
    },
    async changeAlone(id) {
      const connection = await pool.getConnection();
      try {
        await connection.query('begin');
        await connection.execute(update, [1, id]);
        await connection.query('commit');
        connection.release();
      } catch (error) {
        connection.destroy();
        throw error;
      }
    },
    close: () => pool.end(),
  };
}
