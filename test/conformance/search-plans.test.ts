/**
 * The plan of each search: along the index that it is meant to take, on a log with enough in it that
 * an optimizer has reasons to do otherwise. PostgreSQL plans as it does for the log's own connections,
 * for any parameters; MySQL is told which index by name, and must take it.
 */
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import pg from 'pg';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openLog } from '../../server/log/index.ts';
import type { IndexRow, SearchFilter, TransactionLog } from '../../server/log/log.ts';
import { readSettings } from '../../server/log/postgres-log.ts';
import { migrateLog } from '../../server/log/schema.ts';
import { searchQueries } from '../../server/log/search-queries.ts';
import { type WalkName, walksOf } from '../../server/log/walks.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { appendAll, beginning, gidsOf, logRow, startMs } from '../support/log-rows.ts';

const count = 20_000;
const gids = gidsOf('plan', count);

/** As a log looks: mostly commits of one name, few sagas, fewer that need a human. */
function changesOf(i: number): Partial<IndexRow> {
  return {
    startedAtMs: startMs + Math.floor(i / 2),
    mode: i % 20 === 0 ? 'saga' : 'transaction',
    name: i % 20 === 0 ? 'trip' : i % 999 === 7 ? `once-${i}` : 'transfer',
    outcome: i % 100 === 3 ? 'rolledBack' : 'committed',
    finishedAtMs: startMs + i,
    labels: i % 2 === 0 ? { region: 'eu', order: `o${i}` } : {},
    ...(i % 500 === 9 && {
      attention: { reason: 'retries', branchId: 1, detail: 'no answer', atMs: startMs },
    }),
  };
}

async function fill(url: string): Promise<void> {
  await migrateLog(url);
  const log = await openLog(url, { migrate: false });
  const term = await log.takeOver('node-1', '127.0.0.1:7400', startMs);
  const ended = gids.map((gid, i) => beginning(term, gid, changesOf(i)));
  const open = gidsOf('open', 200).map((gid) => beginning(term, gid));
  await appendAll(log, term, [...ended, ...open]);
  expect(await log.append(term, [{ row: logRow(term, 'last', 1), index: null }])).toEqual([
    'appended',
  ]);
  await log.close();
}

const filters: readonly Omit<SearchFilter, 'limit'>[] = [
  {},
  { order: 'oldest' },
  { name: 'transfer' },
  { name: 'once-7', order: 'oldest' },
  { mode: 'transaction' },
  { mode: 'saga' },
  { outcome: 'finished' },
  { outcome: 'committed' },
  { outcome: 'rolledBack' },
  { outcome: 'rolledBack', order: 'oldest' },
  { outcome: 'rolledBack', name: 'transfer' },
  { outcome: 'rolledBack', mode: 'saga', order: 'oldest' },
  { attention: true },
  { label: { key: 'region', value: 'eu' } },
  { label: { key: 'order', value: 'o4' }, order: 'oldest' },
  { gidPrefix: 'plan-00012' },
  { startedAfterMs: startMs + 100, startedBeforeMs: startMs + 200 },
  { before: { startedAtMs: startMs + 100, gid: 'plan-000200' } },
  { before: { startedAtMs: startMs + 100, gid: 'plan-000200' }, order: 'oldest' },
  { name: 'transfer', outcome: 'rolledBack', mode: 'saga' },
  { label: { key: 'region', value: 'eu' }, name: 'trip', outcome: 'rolledBack' },
  { label: { key: 'region', value: 'eu' }, outcome: 'rolledBack' },
  { attention: true, label: { key: 'region', value: 'eu' }, gidPrefix: 'plan' },
  { gidPrefix: 'plan-0', mode: 'saga', startedAfterMs: startMs + 50 },
];

interface Case {
  readonly walk: WalkName;
  readonly filter: SearchFilter;
}

function casesOf(hasPartial: boolean): readonly Case[] {
  return filters.flatMap((filter) =>
    walksOf({ ...filter, limit: 50 }, hasPartial).map((walk) => ({
      walk,
      filter: { ...filter, limit: 50 },
    })),
  );
}

/** A statement with its parameters in it, as `explain execute` and `explain` take it. */
function literal(value: unknown): string {
  return typeof value === 'number' ? String(value) : `'${String(value).replaceAll("'", "''")}'`;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly Filter?: string;
  readonly Plans?: readonly PlanNode[];
}

function nodesOf(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

const postgresIndexes: Readonly<Record<WalkName, string>> = {
  newest: 'global_transaction_newest',
  name: 'global_transaction_name',
  attention: 'global_transaction_attention',
  rolledBack: 'global_transaction_rolled_back',
  saga: 'global_transaction_saga',
  rolledBackName: 'global_transaction_rolled_back_name',
  rolledBackSaga: 'global_transaction_rolled_back_saga',
  label: 'transaction_label_pkey',
  gid: 'global_transaction_pkey',
};

async function searchesAll(log: TransactionLog): Promise<void> {
  for (const filter of filters) {
    const { rows, next } = await log.search({ ...filter, limit: 50 });
    expect(rows.length > 0 || next === null).toBe(true);
  }
}

await describeOn('postgres', (server) => {
  const place = filled(server);

  async function plan(statement: { sql: string; parameters: readonly unknown[] }) {
    const client = new pg.Client({ connectionString: place.url });
    await client.connect();
    try {
      for (const [name, value] of Object.entries(readSettings)) {
        await client.query('select set_config($1, $2, false)', [name, value]);
      }
      await client.query(`prepare searching as ${statement.sql}`);
      const values = statement.parameters.map(literal).join(', ');
      const execute = `execute searching${values === '' ? '' : `(${values})`}`;
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `explain (format json) ${execute}`,
      );
      const [first] = rows;
      if (first === undefined) throw new Error('no plan');
      return nodesOf(first['QUERY PLAN'][0].Plan);
    } finally {
      await client.end();
    }
  }

  it.each(casesOf(true))('walks along $walk for $filter', async ({ walk, filter }) => {
    const stretch = { walk, filter, entriesMax: 500, isExact: false };
    const statement = searchQueries('postgres').walk(stretch);
    const nodes = await plan(statement);
    const kinds = nodes.map((node) => node['Node Type']);
    expect(kinds.filter((kind) => /Seq Scan|Bitmap/.test(kind))).toEqual([]);
    // A look-up for each row, not a table of all that have the label.
    expect(nodes.filter(({ Filter = '' }) => Filter.includes('hashed'))).toEqual([]);
    // Sorted by its index; only the few gids of one beginning are not.
    if (walk !== 'gid') expect(kinds).not.toContain('Sort');
    const used = nodes.flatMap((node) => node['Index Name'] ?? []);
    expect(used.filter((name) => name === postgresIndexes[walk]).length).toBeGreaterThanOrEqual(2);
    // And none besides, but keys of rows: a sorted one to join with would be read to its end.
    const keys = ['global_transaction_pkey', 'transaction_label_pkey'];
    const others = used.filter((name) => name !== postgresIndexes[walk]);
    expect(others.filter((name) => !keys.includes(name))).toEqual([]);
  });

  it('looks through the open ones by their key', async () => {
    for (const filter of filters) {
      const nodes = await plan(searchQueries('postgres').open({ ...filter, limit: 50 }));
      const kinds = nodes.map((node) => node['Node Type']);
      expect(kinds.filter((kind) => /Seq Scan|Bitmap/.test(kind))).toEqual([]);
    }
  });

  it('answers them all', async () => {
    const log = await openLog(place.url, { migrate: false });
    onTestFinished(() => log.close());
    await searchesAll(log);
  });
});

const mysqlIndexes: Readonly<Partial<Record<WalkName, string>>> = {
  newest: 'global_transaction_newest',
  name: 'global_transaction_name',
  attention: 'global_transaction_attention',
  rolledBack: 'global_transaction_outcome',
  label: 'PRIMARY',
  gid: 'PRIMARY',
};

await describeOn('mysql', (server) => {
  const place = filled(server);

  it('takes the index that it is told, for every walk', async () => {
    const connection = await createConnection({ uri: place.url });
    onTestFinished(() => connection.end());
    for (const { walk, filter } of casesOf(false)) {
      const stretch = { walk, filter, entriesMax: 500, isExact: false };
      const { sql, parameters } = searchQueries('mysql').walk(stretch);
      const [rows] = await connection.query<(RowDataPacket & { table: string; key: string })[]>(
        `explain ${sql}`,
        [...parameters],
      );
      const read = rows.filter(({ table }) => table !== null && !table.startsWith('<'));
      const told = { walk, filter, read: read.map(({ table, key }) => [table, key]) };
      expect({ ...told, without: read.filter(({ key }) => key === null) }).toEqual({
        ...told,
        without: [],
      });
      const entries = read.filter(({ table }) => table === 'w').map(({ key }) => key);
      expect({ ...told, entries }).toEqual({
        ...told,
        entries: [mysqlIndexes[walk], mysqlIndexes[walk]],
      });
    }
  });

  it('answers them all', async () => {
    const log = await openLog(place.url, { migrate: false });
    onTestFinished(() => log.close());
    await searchesAll(log);
  });
});

/** A log that is filled, and analysed, before the first test. */
function filled(server: Provided): { url: string } {
  const place = { url: '' };
  beforeAll(async () => {
    place.url = await server.newDatabase();
    await fill(place.url);
    if (server.store === 'postgres') {
      const client = new pg.Client({ connectionString: place.url });
      await client.connect();
      await client.query('vacuum (analyze)');
      await client.end();
    } else {
      const connection = await createConnection({ uri: place.url });
      await connection.query('analyze table global_transaction, transaction_label');
      await connection.end();
    }
  });
  return place;
}

describe('the cases', () => {
  it('take every walk', () => {
    const walks = (hasPartial: boolean) => new Set(casesOf(hasPartial).map(({ walk }) => walk));
    expect(walks(true)).toEqual(new Set(Object.keys(postgresIndexes)));
    expect(walks(false)).toEqual(new Set(Object.keys(mysqlIndexes)));
  });
});
