/**
 * Facts of PostgreSQL's tables and functions, remembered for a minute. One query per unknown table
 * or set of functions. Guards: a lookup that failed is not remembered, and neither is a table that
 * is not there.
 */
import type { Catalog, FunctionName, TableFacts, TableName } from '../facts.ts';
import { unsupported } from '../refusal.ts';
import { Remembered } from '../remembered.ts';
import { writersAmong } from './functions.ts';
import { factsFrom } from './table-facts.ts';
import { readTable } from './table-query.ts';

/**
 * A catalogue for one database; `nowMs` never goes back. Names without a schema are remembered as
 * written: sessions whose search paths differ may be told of the wrong table, and the images of its
 * rows then say that they are of another one.
 */
export function createPostgresCatalog(nowMs: () => number): Catalog {
  const tables = new Remembered<TableFacts>(nowMs);
  const writing = new Remembered<boolean>(nowMs);
  return {
    async factsOf(session, table) {
      const key = JSON.stringify([table.schema, table.name]);
      const known = tables.get(key);
      if (known !== undefined) return known;
      const row = await readTable(session, table);
      if (row === null) throw noSuchTable(table);
      const facts = factsFrom(row);
      tables.set(key, facts);
      return facts;
    },
    async writers(session, functions) {
      const unknown = functions.filter((name) => writing.get(name) === undefined);
      const found = new Set<FunctionName>();
      if (unknown.length > 0) {
        for (const name of await writersAmong(session, unknown)) found.add(name);
        for (const name of unknown) writing.set(name, found.has(name));
      }
      return functions.filter((name) => found.has(name) || writing.get(name) === true);
    },
  };
}

function noSuchTable({ schema, name }: TableName) {
  const what = schema === null ? name : `${schema}.${name}`;
  return unsupported(`there is no table ${what}`, 'create it, or set the search path first');
}
