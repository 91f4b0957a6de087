/**
 * Brings a database to the schema that this version knows, and says how far it is. The migrations
 * are the SQL files beside this one: numbered, forward only, each statement safe to run again.
 * Invariant: under one lock per database a migration is applied once, in order, and its row in
 * settle_schema is written only after its last statement. No driver is imported here.
 */
import { readdir, readFile } from 'node:fs/promises';
import { Failure } from '../server/runtime/failure.ts';
import type { Dialect, Executor } from './executor.ts';

/** Which tables: those of the coordinator's log, or barrier and undo rows in a participant's database. */
export type SetName = 'coordinator' | 'participant';

/** One file. `isBreaking`: a server that doesn't know it must not run on it. */
export interface Migration {
  /** 1, 2, 3 … without gaps. */
  readonly number: number;
  /** File name without its ending, such as `0001_log`. */
  readonly name: string;
  readonly isBreaking: boolean;
  /** The whole file. */
  readonly text: string;
}

/** All migrations of one set for one dialect, by number. */
export interface MigrationSet {
  readonly name: SetName;
  readonly dialect: Dialect;
  readonly migrations: readonly Migration[];
}

/**
 * - `current`: every migration is there (newer ones that are not breaking may be there too);
 * - `missing`: these, by name, are to be applied;
 * - `newer`: these breaking ones are in the database, and this version does not know them.
 */
export type SchemaState =
  | { readonly kind: 'current' }
  | { readonly kind: 'missing'; readonly names: readonly string[] }
  | { readonly kind: 'newer'; readonly names: readonly string[] };

/** Reads the files of a set. Throws a plain Error when a file breaks the naming rules (our own bug). */
export async function loadMigrations(name: SetName, dialect: Dialect): Promise<MigrationSet> {
  const folder = new URL(`./${name}/${dialect}/`, import.meta.url);
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')));
  const migrations = files.map((file, i) => parseMigration(file, texts[i] ?? '', i + 1));
  return { name, dialect, migrations };
}

function parseMigration(file: string, text: string, number: number): Migration {
  const breaking = /^-- breaking: (yes|no)\n/.exec(text);
  const isNamed = /^\d{4}_[a-z0-9_]+\.sql$/.test(file) && Number(file.slice(0, 4)) === number;
  if (breaking === null || !isNamed) throw new Error(`migration ${file} breaks the naming rules`);
  return { number, name: file.slice(0, -'.sql'.length), isBreaking: breaking[1] === 'yes', text };
}

/** The SQL of a set as text, for people who run it themselves, with the rows that record it. */
export function printMigrations(set: MigrationSet): string {
  const parts = set.migrations.map(
    (migration) =>
      `-- ${set.name} ${migration.name}\n${migration.text.trimEnd()}\n\n` +
      `insert into settle_schema (set_name, number, name, is_breaking, applied_at_ms)\n` +
      `values ('${set.name}', ${migration.number}, '${migration.name}', ` +
      `${migration.isBreaking ? 1 : 0}, ${nowMsSql[set.dialect]});\n`,
  );
  return [`${schemaTable[set.dialect]};\n`, ...parts].join('\n');
}

/**
 * Applies what is missing and answers the names of what it applied. Idempotent; safe when several
 * processes start at once; safe to repeat after a crash at any point. Throws Failure SCHEMA_NEWER
 * (nothing is changed then), LOG_UNAVAILABLE when another one holds the lock for a minute, and
 * whatever the driver throws.
 */
export async function migrate(executor: Executor, set: MigrationSet): Promise<readonly string[]> {
  return executor.exclusively(async () => {
    const state = await readState(executor, set);
    if (state.kind === 'newer') throw newerFailure(state.names);
    if (state.kind === 'current') return [];
    await executor.run(schemaTable[executor.dialect], []);
    for (const migration of set.migrations) {
      if (state.names.includes(migration.name)) await applyMigration(executor, set, migration);
    }
    return state.names;
  });
}

/** How far the database is. Changes nothing; needs no right to change the schema. */
export function schemaState(executor: Executor, set: MigrationSet): Promise<SchemaState> {
  return readState(executor, set);
}

/** Resolves when the schema is current; throws Failure SCHEMA_MISSING or SCHEMA_NEWER otherwise. */
export async function requireSchema(executor: Executor, set: MigrationSet): Promise<void> {
  const state = await readState(executor, set);
  switch (state.kind) {
    case 'current':
      return;
    case 'missing':
      throw new Failure('SCHEMA_MISSING', `Not applied yet: ${state.names.join(', ')}.`);
    case 'newer':
      throw newerFailure(state.names);
    default:
      state satisfies never;
  }
}

function newerFailure(names: readonly string[]): Failure {
  return new Failure('SCHEMA_NEWER', `Applied, but not known here: ${names.join(', ')}.`);
}

async function readState(executor: Executor, set: MigrationSet): Promise<SchemaState> {
  const applied = await readApplied(executor, set.name);
  const known = new Set(set.migrations.map((migration) => migration.number));
  const newer = applied.filter((row) => !known.has(row.number) && row.isBreaking);
  if (newer.length > 0) return { kind: 'newer', names: newer.map((row) => row.name) };
  const numbers = new Set(applied.map((row) => row.number));
  const missing = set.migrations.filter((migration) => !numbers.has(migration.number));
  if (missing.length === 0) return { kind: 'current' };
  return { kind: 'missing', names: missing.map((migration) => migration.name) };
}

type Applied = Omit<Migration, 'text'>;

async function readApplied(executor: Executor, setName: SetName): Promise<readonly Applied[]> {
  const tables = await executor.run(schemaTableExists[executor.dialect], []);
  if (tables.length === 0) return [];
  const rows = await executor.run(
    `select number, name, is_breaking from settle_schema where set_name = '${setName}' order by number`,
    [],
  );
  return rows.map((row) => ({
    number: Number(row['number']),
    name: String(row['name']),
    isBreaking: Number(row['is_breaking']) !== 0,
  }));
}

async function applyMigration(
  executor: Executor,
  set: MigrationSet,
  migration: Migration,
): Promise<void> {
  for (const statement of splitStatements(migration.text)) await executor.run(statement, []);
  await executor.run(
    `insert into settle_schema (set_name, number, name, is_breaking, applied_at_ms)
     values (${executor.placeholders(5)})`,
    [set.name, migration.number, migration.name, migration.isBreaking ? 1 : 0, Date.now()],
  );
}

/**
 * The statements of a file, without comments. Enough for our own files, where `--` starts whole
 * lines only and a semicolon at the end of a line always ends a statement.
 */
export function splitStatements(text: string): readonly string[] {
  return text
    .replace(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

const columns = `
  set_name varchar(32) not null,
  number int not null,
  name varchar(128) not null,
  is_breaking smallint not null,
  applied_at_ms bigint not null,
  primary key (set_name, number)`;

const schemaTable: Readonly<Record<Dialect, string>> = {
  sqlite: `create table if not exists settle_schema (${columns}\n)`,
  postgres: `create table if not exists settle_schema (${columns}\n)`,
  mysql: `create table if not exists settle_schema (${columns}\n) engine = InnoDB`,
};

const schemaTableExists: Readonly<Record<Dialect, string>> = {
  sqlite: `select 1 from sqlite_master where type = 'table' and name = 'settle_schema'`,
  postgres: `select 1 where to_regclass('settle_schema') is not null`,
  mysql: `select 1 from information_schema.tables
          where table_schema = database() and table_name = 'settle_schema'`,
};

const nowMsSql: Readonly<Record<Dialect, string>> = {
  sqlite: `cast(unixepoch('subsec') * 1000 as integer)`,
  postgres: `(extract(epoch from clock_timestamp()) * 1000)::bigint`,
  mysql: `floor(unix_timestamp(now(3)) * 1000)`,
};
