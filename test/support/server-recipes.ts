/**
 * What is particular to each kind of database server under test: how its programs are found and
 * started, which container image stands for it, and how a fresh database is made. No process is
 * started here; databases.ts chooses, server-program.ts and server-container.ts run.
 */
import { dirname, join } from 'node:path';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { findProgram, versionFolders } from '../../server/demo/trouble/programs.ts';
import { returnRedisDatabase, takeRedisDatabase } from './redis-command.ts';

/** `mysql` stands for MariaDB too. */
export type StoreName = 'postgres' | 'mysql' | 'redis';

/** One program to run. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** How the programs of one store are used, once found. Folders are absolute; `data` does not exist yet. */
export interface Programs {
  /** Fills the data folder; null when the server does so by itself. */
  readonly initialise: (data: string) => Command | null;
  readonly serve: (data: string, port: number) => Command;
}

/** Everything that differs between the stores. */
export interface Recipe {
  readonly store: StoreName;
  /** Environment variable with the URL of a running server. */
  readonly urlVariable: string;
  /** Environment variable that names another image. */
  readonly imageVariable: string;
  readonly image: string;
  readonly containerPort: number;
  readonly containerEnvironment: Readonly<Record<string, string>>;
  /** In the container's output, and how often it comes until the server is really there. */
  readonly containerReady: { readonly line: RegExp; readonly times: number };
  /** In the program's output, once it takes connections. */
  readonly programReady: RegExp;
  /** Users to become, best first, when the tests run as root (the servers refuse root). */
  readonly users: readonly string[];
  /** Null when the programs are not on this machine. */
  readonly locate: () => Promise<Programs | null>;
  readonly programUrl: (port: number) => string;
  readonly containerUrl: (host: string, port: number) => string;
  /** Makes an empty database beside the given one and answers its URL. */
  readonly createDatabase: (url: string, name: string) => Promise<string>;
  /** Drops what createDatabase made, though connections to it may be open. */
  readonly dropDatabase: (serverUrl: string, databaseUrl: string) => Promise<void>;
}

/** The recipe of a store. */
export function recipeOf(store: StoreName): Recipe {
  switch (store) {
    case 'postgres':
      return postgresRecipe;
    case 'mysql':
      return mysqlRecipe;
    case 'redis':
      return redisRecipe;
    default:
      return store satisfies never;
  }
}

const password = 'settle';

const postgresRecipe: Recipe = {
  store: 'postgres',
  urlVariable: 'SETTLE_TEST_POSTGRES_URL',
  imageVariable: 'SETTLE_TEST_POSTGRES_IMAGE',
  image: 'postgres:17',
  containerPort: 5432,
  containerEnvironment: { POSTGRES_PASSWORD: password },
  // The image starts a server to set itself up, stops it, and starts the real one.
  containerReady: { line: /database system is ready to accept connections/, times: 2 },
  programReady: /database system is ready to accept connections/,
  users: ['postgres', 'nobody'],
  async locate() {
    const debian = await versionFolders('/usr/lib/postgresql', 'bin');
    const [initdb, postgres] = await Promise.all([
      findProgram('initdb', debian),
      findProgram('postgres', debian),
    ]);
    if (initdb === null || postgres === null) return null;
    return {
      // --no-sync: only the empty data folder is written without fsync; the server itself syncs.
      initialise: (data) => ({
        file: initdb,
        args: ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '-N'],
      }),
      serve: (data, port) => ({
        file: postgres,
        args: [
          ...['-D', data, '-p', String(port)],
          ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
          ...['-c', 'max_prepared_transactions=64', '-c', 'max_connections=200'],
        ],
      }),
    };
  },
  programUrl: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  containerUrl: (host, port) => `postgres://postgres:${password}@${host}:${port}/postgres`,
  async createDatabase(url, name) {
    await withPostgres(url, (client) => client.query(`create database "${name}"`));
    return withDatabase(url, name);
  },
  async dropDatabase(serverUrl, databaseUrl) {
    const name = databaseOf(databaseUrl);
    await withPostgres(serverUrl, (client) =>
      client.query(`drop database if exists "${name}" with (force)`),
    );
  },
};

const mysqlRecipe: Recipe = {
  store: 'mysql',
  urlVariable: 'SETTLE_TEST_MYSQL_URL',
  imageVariable: 'SETTLE_TEST_MYSQL_IMAGE',
  image: 'mariadb:11.4',
  containerPort: 3306,
  // MariaDB's image takes the variables of MySQL's.
  containerEnvironment: { MYSQL_ROOT_PASSWORD: password, MYSQL_ROOT_HOST: '%' },
  // The server that the image starts to set itself up says port 0.
  containerReady: { line: /port: 3306/, times: 1 },
  // MySQL's X plugin says "ready for connections" too, without the colon.
  programReady: /: ready for connections\./,
  users: ['mysql', 'nobody'],
  async locate() {
    const [mariadbd, installDb, mysqld] = await Promise.all([
      findProgram('mariadbd'),
      findProgram('mariadb-install-db'),
      findProgram('mysqld'),
    ]);
    if (mariadbd !== null && installDb !== null) {
      return {
        initialise: (data) => ({
          file: installDb,
          args: [
            ...['--no-defaults', `--datadir=${data}`, '--skip-test-db'],
            // Its temporary tables have names that two installers at once would share in /tmp.
            ...['--auth-root-authentication-method=normal', `--tmpdir=${dirname(data)}`],
          ],
        }),
        serve: (data, port) => ({ file: mariadbd, args: mysqldArguments(data, port) }),
      };
    }
    if (mysqld === null) return null;
    return {
      initialise: (data) => ({
        file: mysqld,
        args: ['--no-defaults', `--datadir=${data}`, '--initialize-insecure'],
      }),
      serve: (data, port) => ({ file: mysqld, args: mysqldArguments(data, port) }),
    };
  },
  programUrl: (port) => `mysql://root@127.0.0.1:${port}/mysql`,
  containerUrl: (host, port) => `mysql://root:${password}@${host}:${port}/mysql`,
  async createDatabase(url, name) {
    await withMysql(url, (connection) => connection.query(`create database \`${name}\``));
    return withDatabase(url, name);
  },
  async dropDatabase(serverUrl, databaseUrl) {
    const name = databaseOf(databaseUrl);
    await withMysql(serverUrl, (connection) =>
      connection.query(`drop database if exists \`${name}\``),
    );
  },
};

const redisRecipe: Recipe = {
  store: 'redis',
  urlVariable: 'SETTLE_TEST_REDIS_URL',
  imageVariable: 'SETTLE_TEST_REDIS_IMAGE',
  image: 'redis:7',
  containerPort: 6379,
  containerEnvironment: {},
  containerReady: { line: /Ready to accept connections/, times: 1 },
  programReady: /Ready to accept connections/,
  users: ['redis', 'nobody'],
  async locate() {
    const server = await findProgram('redis-server');
    if (server === null) return null;
    return {
      initialise: () => null,
      serve: (data, port) => ({
        file: server,
        args: [
          ...['--port', String(port), '--bind', '127.0.0.1', '--dir', data, '--save', ''],
          ...['--appendonly', 'yes', '--appendfsync', 'always', '--daemonize', 'no'],
        ],
      }),
    };
  },
  programUrl: (port) => `redis://127.0.0.1:${port}/0`,
  containerUrl: (host, port) => `redis://${host}:${port}/0`,
  // Redis has numbers instead of names.
  createDatabase: async (url) => withDatabase(url, String(await takeRedisDatabase(url))),
  dropDatabase: (serverUrl, databaseUrl) =>
    returnRedisDatabase(serverUrl, Number(databaseOf(databaseUrl))),
};

function mysqldArguments(data: string, port: number): readonly string[] {
  return [
    ...['--no-defaults', `--datadir=${data}`, '--bind-address=127.0.0.1', `--port=${port}`],
    `--tmpdir=${dirname(data)}`,
    ...[`--socket=${join(data, 'mysqld.sock')}`, `--pid-file=${join(data, 'mysqld.pid')}`],
    ...['--innodb-flush-log-at-trx-commit=1', '--max-connections=300', '--loose-mysqlx=0'],
  ];
}

async function withPostgres<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // A connection that breaks is reported by the query too; unheard it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function withMysql<T>(
  url: string,
  work: (connection: mysql.Connection) => Promise<T>,
): Promise<T> {
  const connection = await mysql.createConnection(url);
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

function databaseOf(url: string): string {
  return new URL(url).pathname.slice(1);
}
