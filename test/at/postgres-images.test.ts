/**
 * Rewritten statements against a real PostgreSQL: each of the corpus does what the user's own text
 * does, and its images are the rows as they were and as they are, also while others write.
 */
import type pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Session } from '../../client-sdk/resource/facts.ts';
import { createPostgresAnalyzer } from '../../client-sdk/resource/postgres/analyzer.ts';
import { createPostgresCatalog } from '../../client-sdk/resource/postgres/catalog.ts';
import type { WriteStatement } from '../../client-sdk/resource/statement.ts';
import { refuseHazards } from '../../client-sdk/resource/steps.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { postgresCorpus } from './corpus/postgres.ts';
import { corpusSchema, corpusTables } from './corpus/postgres-schema.ts';
import { startDatabase } from './world.ts';

type Row = Readonly<Record<string, unknown>>;

const analyzer = createPostgresAnalyzer();
const catalog = createPostgresCatalog(() => 0);

await describeOn('postgres', (server) => {
  describe('the corpus on PostgreSQL', () => {
    it('supported writes: the same rows changed, the same answer, images as outside', async () => {
      const client = await corpusClient(server);
      for (const one of postgresCorpus) {
        if (one.expect !== 'supported') continue;
        const analysis = await analyzer.analyze(one.sql);
        if (analysis.kind !== 'write') continue;
        const found = { sql: one.sql, ...(await compared(client, one, analysis)) };
        const { plain, steps } = found;
        expect({ ...found, rewritten: found.rewritten }).toEqual({ ...found, rewritten: plain });
        expect({ sql: one.sql, steps }).toEqual({ sql: one.sql, steps: found.expected });
      }
    });

    it('supported reads and settings run as they are', async () => {
      const client = await corpusClient(server);
      for (const one of postgresCorpus) {
        if (one.expect !== 'supported' || (one.as !== 'read' && one.as !== 'session')) continue;
        const before = await snapshot(client);
        const analysis = await analyzer.analyze(one.sql);
        const functions = analysis.kind === 'read' ? analysis.functions : [];
        expect(await catalog.writers(sessionOf(client), functions)).toEqual([]);
        await client.query(one.sql, [...(one.parameters ?? [])]);
        expect(await snapshot(client)).toEqual(before);
      }
    });

    it('images tell of another table that the name means by now', async () => {
      const client = await corpusClient(server);
      const table = 'same (id int primary key, note text)';
      await client.query(`create schema shadow; create table ${table}; create table shadow.${table};
        insert into same values (1, 'a'); insert into shadow.same values (1, 'a')`);
      const facts = await catalog.factsOf(sessionOf(client), { schema: null, name: 'same' });
      const { text } = await analyzer.rewrite("update same set note = 'b' where id = 1", [facts]);
      const { rows } = await client.query(text);
      expect(rows).toEqual([
        { settle_before: 'public.same(1,a)', settle_after: 'public.same(1,b)' },
      ]);
      await client.query('set search_path to shadow, public');
      const shadowed = await client.query(text);
      expect(shadowed.rows).toEqual([{ settle_before: 'same(1,a)', settle_after: 'same(1,b)' }]);
    });

    it('what its tables and functions forbid is refused', async () => {
      const client = await corpusClient(server);
      for (const one of postgresCorpus) {
        if (one.expect !== 'refused' || one.refusedBy !== 'facts') continue;
        const refused = await refusedByFacts(client, one.sql).then(
          () => 'it passed',
          (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
        );
        expect([one.sql, refused]).toEqual([one.sql, 'AT_UNSUPPORTED_SQL']);
      }
    });
  });

  describe('images while others write', () => {
    const texts: readonly string[] = [
      'update acct set version = version + 1, cents = $1 where id = 1 returning version',
      'update acct a set version = a.version + 1 where a.id in (1, 2) and a.cents <> $1 returning a.version',
      'update acct a set version = a.version + 1, note = $1::text from item i where i.order_id = a.id returning a.version',
      `with v as (select id from acct order by id limit 2 for update)
        update acct set version = version + 1, note = $1::text from v where v.id = acct.id returning version`,
      'update acct set version = version + 1, cents = cents + $1 where id = (select min(id) from acct)',
    ];

    it.each(texts)('%s', async (text) => {
      const pool = await startDatabase(server, corpusSchema);
      const history: { readonly before: string; readonly after: string }[] = [];
      const first = await snapshotOf(pool, 'acct');
      const writer = async (client: pg.PoolClient, number: number) => {
        for (let round = 0; round < 25; round += 1) {
          await client.query('begin');
          const { steps } = await rewrittenRun(client, { sql: text, parameters: [number] });
          await client.query('commit');
          for (const { before, after } of steps) {
            if (before === null || after === null) throw new Error('an update without an image');
            history.push({ before, after });
          }
        }
      };
      await withClients(pool, 8, writer);
      const last = await snapshotOf(pool, 'acct');
      // `version` counts up, so no state of a row comes twice: images must form chains without a gap.
      expect(history.length).toBeGreaterThanOrEqual(200);
      expect([...first, ...history.map(({ after }) => after)].toSorted()).toEqual(
        [...last, ...history.map(({ before }) => before)].toSorted(),
      );
      expect(new Set(history.map(({ before }) => before)).size).toBe(history.length);
    });

    it('an upsert tells new rows from those that were there, whoever was faster', async () => {
      const pool = await startDatabase(server, corpusSchema);
      const sql = `insert into stat (key, hits) values ($1, 1)
        on conflict (key) do update set hits = stat.hits + 1`;
      const states: string[] = [];
      let missed = 0;
      const writer = async (client: pg.PoolClient) => {
        for (let round = 0; round < 40; round += 1) {
          await client.query('begin');
          const run = await rewrittenRun(client, { sql, parameters: [`key ${round}`] });
          const [step] = run.steps;
          // Inserted by another one in between: the local transaction is rolled back.
          const isMissed = step?.inserted === false && run.there.length === 0;
          await client.query(isMissed ? 'rollback' : 'commit');
          if (isMissed) missed += 1;
          else {
            const state = step?.inserted === true ? 'new' : (run.there[0] ?? 'nothing');
            states.push(`${round} ${state}`);
          }
        }
      };
      await withClients(pool, 4, writer);
      expect(states.length + missed).toBe(160);
      // One insert for each key, and each state of a row is the before of one update.
      expect(states.filter((state) => state.endsWith(' new'))).toHaveLength(40);
      expect(new Set(states).size).toBe(states.length);
      const { rows } = await pool.query("select sum(hits)::int as n from stat where key ~ '^key'");
      expect(rows[0]?.n).toBe(states.length);
    });
  });
});

async function corpusClient(server: Provided): Promise<pg.PoolClient> {
  const client = await (await startDatabase(server, corpusSchema)).connect();
  onTestFinished(() => client.release());
  return client;
}

/** A client that failed is thrown away, and its transaction with it: nobody waits for its locks. */
async function withClients(
  pool: pg.Pool,
  count: number,
  work: (client: pg.PoolClient, number: number) => Promise<void>,
): Promise<void> {
  const one = async (number: number) => {
    const client = await pool.connect();
    let isDone = false;
    try {
      await work(client, number);
      isDone = true;
    } finally {
      client.release(!isDone);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, index) => one(index + 1)));
}

function sessionOf(client: pg.PoolClient): Session {
  return {
    async query(text, parameters = []) {
      const { rows, rowCount } = await client.query(text, [...parameters]);
      return { rows, count: rowCount ?? 0 };
    },
  };
}

interface Statement {
  readonly sql: string;
  readonly parameters?: readonly unknown[];
}

/** The statement as the user wrote it and as we run it, each in a transaction that is taken back. */
async function compared(client: pg.PoolClient, one: Statement, analysis: WriteStatement) {
  const before = await snapshot(client);
  const plain = await takenBack(client, async () => {
    const { rows, rowCount } = await client.query(one.sql, [...(one.parameters ?? [])]);
    return { rows: texts(rows), rowCount, tables: await snapshot(client) };
  });
  const run = await takenBack(client, async () => {
    const { rows, rowCount, steps, there } = await rewrittenRun(client, one);
    return {
      answer: { rows: texts(rows), rowCount, tables: await snapshot(client) },
      steps,
      there,
    };
  });
  const { tables } = run.answer;
  const gone = without(before, tables);
  const come = without(tables, before);
  const images = imagesOf(run, analysis);
  if (analysis.change === 'lock') {
    const known = images.before.every((image) => before.includes(image));
    return { plain, rewritten: run.answer, steps: [known, gone, come], expected: [true, [], []] };
  }
  // A row that was set to what it was is in both images, and in neither difference.
  const steps = [without(images.before, images.after), without(images.after, images.before)];
  return { plain, rewritten: run.answer, steps, expected: [gone, come] };
}

type Run = Awaited<ReturnType<typeof rewrittenRun>>;

function imagesOf({ steps, there }: Pick<Run, 'steps' | 'there'>, { change }: WriteStatement) {
  const after = steps.flatMap((step) => step.after ?? []).toSorted();
  if (change !== 'upsert') return { before: steps.flatMap((step) => step.before ?? []), after };
  // Rows that were there but not updated have no step; the key decides in the product.
  const updated = steps.filter(({ inserted }) => inserted === false).length;
  return { before: updated === 0 ? [] : there, after };
}

async function rewrittenRun(client: pg.PoolClient, { sql, parameters = [] }: Statement) {
  const analysis = await analyzer.analyze(sql);
  if (analysis.kind !== 'write') throw new Error(`${sql} is of kind ${analysis.kind}`);
  const session = sessionOf(client);
  const facts = [];
  for (const table of analysis.tables) facts.push(await catalog.factsOf(session, table));
  for (const one of facts) refuseHazards(analysis, one);
  const { text, before, givesRows, keyParameters } = await analyzer.rewrite(sql, facts);
  const values = before?.parameters.map((number) => parameters[number - 1]) ?? [];
  const there = before === null ? [] : (await client.query(before.text, values)).rows;
  // Null: no look at the row of the key.
  const look = keyParameters === null ? [] : [null];
  const result = await client.query(text, [...parameters, ...look]);
  const suffixes = facts.map((_, index) => (index === 0 ? '' : `_${index + 1}`));
  return {
    rows: givesRows ? result.rows.map(ownOff) : [],
    rowCount: result.rowCount,
    there: there.map((row) => String(row.settle_before)).toSorted(),
    steps: result.rows.flatMap((row) =>
      suffixes.map((suffix) => ({
        before: textOrNull(row[`settle_before${suffix}`]),
        after: textOrNull(row[`settle_after${suffix}`]),
        inserted: row.settle_inserted,
      })),
    ),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function ownOff(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith('settle_')));
}

function texts(rows: readonly Row[]): readonly string[] {
  return rows.map((row) => JSON.stringify(row)).toSorted();
}

/** Sequences stand where they stood, so that the same rows are inserted both times. */
async function takenBack<T>(client: pg.PoolClient, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  await client.query("select setval('queue_id_seq', 1000), setval('strict_id_id_seq', 1000)");
  const result = await work();
  await client.query('rollback');
  return result;
}

type Queryable = Pick<pg.PoolClient, 'query'>;

async function snapshot(client: Queryable): Promise<readonly string[]> {
  const all: string[] = [];
  for (const table of corpusTables) all.push(...(await snapshotOf(client, table)));
  return all.toSorted();
}

async function snapshotOf(client: Queryable, table: string): Promise<readonly string[]> {
  const { rows } = await client.query(`select settle_image(t.*) as image from ${table} t`);
  return rows.map(({ image }) => String(image)).toSorted();
}

function without(all: readonly string[], some: readonly string[]): readonly string[] {
  const taken = new Set(some);
  return [...new Set(all)].filter((one) => !taken.has(one)).toSorted();
}

async function refusedByFacts(client: pg.PoolClient, sql: string): Promise<void> {
  const session = sessionOf(client);
  const analysis = await analyzer.analyze(sql);
  if (analysis.kind !== 'write' && analysis.kind !== 'read') return;
  for (const table of analysis.kind === 'write' ? analysis.tables : []) {
    const facts = await catalog.factsOf(session, table);
    if (analysis.kind === 'write') refuseHazards(analysis, facts);
  }
  const [writer] = await catalog.writers(session, analysis.functions);
  if (writer !== undefined) throw Object.assign(new Error(), { code: 'AT_UNSUPPORTED_SQL' });
}
