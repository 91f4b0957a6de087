/**
 * Facts of tables and functions of MySQL and MariaDB, remembered for a minute. Guards: a lookup that
 * failed is not remembered, and neither is a name that nothing has; a name without a database is
 * looked up in that of the session, for connections of one pool may have been told to use others.
 */
import type { Catalog, FunctionName, Session, TableFacts, TableName } from '../facts.ts';
import { unsupported } from '../refusal.ts';
import { Remembered } from '../remembered.ts';
import { writersAmong } from './functions.ts';
import { quoted } from './names.ts';
import { factsFrom } from './table-facts.ts';
import { type FullName, readTable } from './table-query.ts';

/** A catalogue for one server; `nowMs` never goes back. One query per session, two per unknown table. */
export function createMysqlCatalog(nowMs: () => number): Catalog {
  const tables = new Remembered<TableFacts>(nowMs);
  const writing = new Remembered<boolean>(nowMs);
  // A session is one local transaction, in which no statement changes the database.
  const surroundings = new WeakMap<Session, Promise<Surroundings>>();
  const around = (session: Session): Promise<Surroundings> => {
    const known = surroundings.get(session);
    if (known !== undefined) return known;
    const asked = surroundingsOf(session);
    surroundings.set(session, asked);
    asked.catch(() => surroundings.delete(session));
    return asked;
  };
  return {
    async factsOf(session, table) {
      const surrounding = await around(session);
      const full = fullName(table, surrounding);
      const key = JSON.stringify([full.schema, full.name]);
      const known = tables.get(key);
      if (known !== undefined) return inReach(known, full, surrounding);
      const row = await readTable(session, full);
      if (row === null) throw noSuchTable(table);
      const facts = factsFrom(row);
      tables.set(key, facts);
      return inReach(facts, full, surrounding);
    },
    async writers(session, functions) {
      const { database } = await around(session);
      const keyOf = (name: FunctionName): string => JSON.stringify([database, name]);
      const unknown = functions.filter((name) => writing.get(keyOf(name)) === undefined);
      const found = new Set<FunctionName>();
      if (unknown.length > 0) {
        for (const name of await writersAmong(session, database, unknown)) found.add(name);
        for (const name of unknown) writing.set(keyOf(name), found.has(name));
      }
      return functions.filter((name) => found.has(name) || writing.get(keyOf(name)) === true);
    },
  };
}

/** What a name depends on. */
interface Surroundings {
  /** Null: none is in use. */
  readonly database: string | null;
  /** Of `lower_case_table_names`: 0 is the only one in which case counts. */
  readonly isCaseSensitive: boolean;
}

/** Asks for what the session's names depend on. */
async function surroundingsOf(session: Session): Promise<Surroundings> {
  const { rows } = await session.query(
    'select database() as db, @@lower_case_table_names as folds',
  );
  const database = rows[0]?.['db'];
  return {
    database: typeof database === 'string' ? database : null,
    isCaseSensitive: Number(rows[0]?.['folds']) === 0,
  };
}

function fullName(table: TableName, { database, isCaseSensitive }: Surroundings): FullName {
  const schema = table.schema ?? database;
  if (schema === null) {
    throw unsupported(`${table.name} without a database`, 'name its database in the statement');
  }
  return { schema: folded(schema, isCaseSensitive), name: folded(table.name, isCaseSensitive) };
}

function folded(name: string, isCaseSensitive: boolean): string {
  return isCaseSensitive ? name : name.toLowerCase();
}

/**
 * The session's undo rows are in its own database. Who changes the table by a session of the table's
 * database has them there: the two would not meet, and each would take the row for its own.
 */
function inReach(
  facts: TableFacts,
  { schema }: FullName,
  { database, isCaseSensitive }: Surroundings,
): TableFacts {
  const isOwn = database !== null && folded(database, isCaseSensitive) === schema;
  if (isOwn || facts.refusal !== null) return facts;
  const refusal = `it is not in the database that the connection uses, make ${quoted(schema)} a resource`;
  return { ...facts, refusal };
}

function noSuchTable({ schema, name }: TableName) {
  const what = schema === null ? name : `${schema}.${name}`;
  return unsupported(
    `there is no table ${what} in the catalogue`,
    'create it (a temporary table cannot be undone), or name its database in the statement',
  );
}
