/** What the catalogue would say of the corpus' ordinary tables, for tests without a database. */
import type { TableFacts, TableName } from '../../../client-sdk/resource/facts.ts';

const tables: Readonly<Record<string, TableFacts>> = {
  acct: table('acct', 'id', 'id bigint, owner text, cents bigint, note text, version integer'),
  item: table(
    'item',
    'order_id pos',
    'order_id integer, pos integer, sku text, qty integer, price numeric(10.2)',
  ),
  queue: table('queue', 'id', 'id bigint, state text, payload jsonb, tags text[]'),
  stat: table('stat', 'key', 'key text, hits integer, doubled integer'),
  tag: table('tag', 'id', 'id integer, acct_id bigint, name text, weight integer, deleted boolean'),
  sheet: table('sheet', 'a', 'a integer, sheet text, mail email, color shade'),
  'Odd Name': table('"Odd Name"', 'Key', "Key integer, group text, sheet's text"),
  strict_id: table('strict_id', 'id', 'id integer, name text'),
  'shop.acct': table('shop.acct', 'id', 'id integer, cents integer'),
};

/** Throws for a table that is not in the corpus. */
export function corpusFacts({ schema, name }: TableName): TableFacts {
  const facts = tables[schema === 'shop' ? `shop.${name}` : name];
  if (facts === undefined) throw new Error(`no facts of ${name}`);
  return facts;
}

/** `columns`: `name type, name type`; a comma inside of a type is written as a dot. */
function table(id: string, key: string, columns: string): TableFacts {
  return {
    id,
    columns: columns.split(', ').map((column) => {
      const at = column.lastIndexOf(' ');
      const type = column.slice(at + 1).replace('.', ',');
      return { name: column.slice(0, at), type, isGenerated: false, isAlwaysIdentity: false };
    }),
    key: key.split(' ').map((name) => ({ name, form: 'text' as const })),
    hazards: [],
    isGuarded: false,
    refusal: null,
  };
}
