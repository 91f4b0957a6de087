/**
 * `explain` on PostgreSQL: says of each statement of the corpus what becomes of it, and runs nothing.
 * The texts that it shows are those that are sent when the statement runs, and when it is undone.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type Explanation,
  explanationText,
  type Settle,
  type WriteExplanation,
} from '../../client-sdk/index.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { postgresCorpus } from './corpus/postgres.ts';
import { corpusSchema, corpusTables } from './corpus/postgres-schema.ts';
import { kyselyOver, rowsOf, startCoordinator, startDatabase, startService } from './world.ts';

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

const schema = `
  create table account (id bigint primary key, owner text not null, cents bigint not null);
  create table item (id bigint primary key,
    account_id bigint references account on delete cascade, up bigint references item on delete set null);
  insert into account values (1, 'Ada', 1000), (2, 'Bob', 500);`;

await describeOn('postgres', (server) => {
  describe('the corpus', () => {
    it('is what it runs as, or refused, and not a row of it changes', async () => {
      const { bank, pool } = await world(server, corpusSchema);
      const before = await Promise.all(corpusTables.map((table) => rowsOf(pool, table)));
      for (const one of postgresCorpus) {
        const explanation = await bank.explain(one.sql);
        const kind = explanation.kind === 'write' ? explanation.change : explanation.kind;
        const expected = one.expect === 'refused' ? 'refused' : one.as;
        expect([one.sql, kind]).toEqual([one.sql, expected]);
      }
      const after = await Promise.all(corpusTables.map((table) => rowsOf(pool, table)));
      expect(after).toEqual(before);
    });

    it('runs the texts that it is said to run', async () => {
      const { settle, bank, sent } = await world(server, corpusSchema);
      const first = 'select 0 as first';
      const ofOurs = /\bfrom pg_catalog\.|^begin |pg_backend_pid/;
      let compared = 0;
      for (const one of postgresCorpus) {
        if (one.expect !== 'supported' || one.as === 'control' || one.sql.trim() === '') continue;
        const explanation = await bank.explain(one.sql);
        const ran: string[] = [];
        const back = settle.transaction({}, async () => {
          // The first statement goes together with `begin`; facts are read before it is looked at.
          await bank.query(first);
          await bank.query(one.sql, [...(one.parameters ?? [])]);
          ran.push(...sent.filter((text) => text !== first && !ofOurs.test(text)));
          throw new Error('back');
        });
        sent.length = 0;
        await expect(back).rejects.toThrow('back');
        expect({ sql: one.sql, runs: runsOf(explanation) }).toEqual({ sql: one.sql, runs: ran });
        compared += 1;
      }
      expect(compared).toBeGreaterThan(80);
    });
  });

  describe('what undoes it', () => {
    it.each([
      ["insert into account values (7, 'new', $1)", [7]],
      ['update account set cents = cents - $1, owner = upper(owner) where id = 1', [7]],
      ['delete from account where id = 2', []],
      ["insert into account values (7, 'new', $1) on conflict (id) do update set cents = 0", [7]],
      ["insert into account values (1, 'x', $1) on conflict (id) do update set cents = 0", [7]],
      ["insert into account values (8, 'new', $1) on conflict do nothing", [7]],
      ['select * from account where cents > $1 for update', [7]],
    ] as const)('%s', async (sql, parameters) => {
      const { settle, bank, sent, pool } = await world(
        server,
        // Not one that a delete of the user's would be refused for.
        sql.startsWith('delete') ? schema.replace(/on delete cascade,/, ',') : schema,
      );
      const { undo } = await writeOf(bank.explain(sql, parameters));
      const before = await rowsOf(pool, 'account');
      const back = settle.transaction({}, async (tx) => {
        const headers = await tx.headers();
        await outside(() => settle.join(headers, () => bank.query(sql, [...parameters])));
        sent.length = 0;
        throw new Error('back');
      });
      await expect(back).rejects.toThrow('back');
      expect(await rowsOf(pool, 'account')).toEqual(before);
      const restoring = sent.filter((text) => /^(insert into|update|with given)/.test(text));
      const wrote = restoring.filter((text) => !text.includes('settle_barrier'));
      const isUpsert = sql.includes('do update');
      if (isUpsert) expect(undo).toEqual([expect.stringMatching(/^with/), expect.any(String)]);
      expect(isUpsert ? undo.filter((text) => wrote.includes(text)) : undo).toEqual(wrote);
      expect(wrote).toHaveLength(sql.startsWith('select') ? 0 : 1);
    });
  });

  it('sends nothing but questions to the catalogue, in a transaction that reads and is rolled back', async () => {
    const { bank, sent } = await world(server, schema);
    sent.length = 0;
    await bank.explain('update account set cents = 0 where owner = lower($1)');
    expect(sent[0]).toMatch(/^begin .*; set transaction read only$/);
    expect(sent.at(-1)).toBe('rollback');
    const asked = sent.slice(1, -1);
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((text) => !text.includes('from pg_catalog.'))).toEqual([]);
  });

  it('waits for nobody who has the rows, or the table', async () => {
    const { bank, pool } = await world(server, schema);
    const other = await pool.connect();
    await other.query('begin; lock table account in access exclusive mode');
    const explanation = await bank.explain('update account set cents = 0');
    expect(explanation).toMatchObject({ kind: 'write', change: 'update' });
    await other.query('rollback');
    other.release();
  });

  it('works inside of a global transaction, which goes on', async () => {
    const { settle, bank, pool } = await world(server, schema);
    await settle.transaction({}, async () => {
      await bank.query('update account set cents = cents + 1');
      const explanation = await bank.explain('delete from account');
      expect(explanation).toMatchObject({ kind: 'refused', code: 'AT_UNSUPPORTED_SQL' });
      expect(await bank.explain('update account set cents = 0')).toMatchObject({ kind: 'write' });
    });
    expect(await rowsOf(pool, 'account')).toEqual(['(1,Ada,1001)', '(2,Bob,501)']);
  });

  it('gives up waiting for a connection that its own transaction has', async () => {
    const { settle, bank } = await world(server, schema, { max: 1, lockTimeoutMs: 1_000 });
    // The only connection is open before somebody has a second to get it.
    await bank.query('select 1');
    await settle.transaction({}, async () => {
      await bank.query('select 1');
      const explained = bank.explain('update account set cents = 0');
      await expect(explained).rejects.toMatchObject({ code: 'LOCK_CONFLICT' });
    });
    expect(await bank.explain('update account set cents = 0')).toMatchObject({ kind: 'write' });
  });

  it('sees a change of the schema at once', async () => {
    const { bank, pool } = await world(server, schema);
    const sql = 'delete from account';
    expect(await bank.explain(sql)).toMatchObject({
      kind: 'refused',
      detail: expect.stringContaining('foreign key item_account_id_fkey (on delete cascade)'),
    });
    await pool.query('alter table item drop column account_id');
    expect(await bank.explain(sql)).toMatchObject({ kind: 'write', change: 'delete' });
  });

  it('says what an update is made of', async () => {
    const { bank } = await world(server, schema);
    const sql = 'update account set cents = $1 where id = $2';
    const explanation = await bank.explain(sql);
    expect(explanation).toMatchObject({
      ...{ kind: 'write', change: 'update', isOwnLockOnly: false, sets: ['cents'] },
      images: { before: true, after: true },
      tables: [
        {
          name: 'public.account',
          key: [{ column: 'id', form: 'text' }],
          columns: [
            { name: 'id', type: 'bigint', isGenerated: false },
            { name: 'owner', type: 'text', isGenerated: false },
            { name: 'cents', type: 'bigint', isGenerated: false },
          ],
          lock: 'settle_undo (public.account, ["<id>"])',
        },
      ],
      ...{ runsIfThere: null, refusedIf: [] },
    });
    const shown = explanationText(explanation)
      .replace(/WITH .* RETURNING/, 'WITH … RETURNING')
      .replace(/settle_before, .* AS settle_after/, 'settle_before, … AS settle_after');
    expect(shown).toBe(updateText);
  });

  it('says what only the rows tell', async () => {
    const { bank } = await world(server, schema);
    const { refusedIf } = await writeOf(bank.explain('update account set id = id + 1'));
    expect(refusedIf).toEqual([
      'an update that changes the primary key of public.account: delete the row and insert another one',
    ]);
  });

  it('says of a lock that it changes nothing', async () => {
    const { bank } = await world(server, schema);
    const sql = 'select * from account a join item i on i.account_id = a.id for update';
    const explanation = await writeOf(bank.explain(sql));
    expect(explanation).toMatchObject({
      ...{ change: 'lock', isOwnLockOnly: true, undo: [] },
      images: { before: true, after: false },
    });
    expect(explanation.tables.map(({ lock }) => lock)).toEqual([
      'settle_undo (public.account, ["<id>"])',
      'settle_undo (public.item, ["<id>"])',
    ]);
  });

  it('says which savepoints stand for the begin and commit of a user', async () => {
    const { bank } = await world(server, schema);
    const runsFor = async (sql: string) => runsOf(await bank.explain(sql));
    expect(await runsFor('begin')).toEqual(['savepoint settle_0']);
    expect(await runsFor('commit')).toEqual(['release savepoint settle_0']);
    expect(await runsFor('rollback')).toEqual([
      'rollback to savepoint settle_0; release savepoint settle_0',
    ]);
    expect(await runsFor('savepoint mine')).toEqual(['savepoint mine']);
    expect(await bank.explain('rollback to mine')).toMatchObject({ verb: 'rollbackTo' });
  });

  it('takes what Kysely compiles', async () => {
    const { settle, pool } = await world(server, schema);
    const db = settle.at(kyselyOver<Tables>(pool), { resource: 'kysely' });
    const query = db.updateTable('account').set({ cents: '5' }).where('id', '=', '1');
    const explanation = await writeOf(db.explain(query.compile()));
    expect(explanation).toMatchObject({ change: 'update', sets: ['cents'] });
    expect(await db.explain('select 1')).toEqual({
      ...{ kind: 'read', functions: [], runs: ['select 1'] },
    });
    expect(Object.keys(db)).not.toContain('explain');
    expect(await rowsOf(pool, 'account')).toEqual(['(1,Ada,1000)', '(2,Bob,500)']);
  });
});

const updateText = `
write: update of public.account
  key      id
  sets     cents
  images   before and after
  lock     settle_undo (public.account, ["<id>"])
  runs     WITH … RETURNING settle_rows.settle_row AS settle_before, … AS settle_after, settle_is_held_now('public.account', CAST($3 AS text)) AS settle_held
  undo     update public.account as t set "cents" = $1::bigint where t."id" = $2::bigint returning settle_image(t.*) as image
`.trim();

interface Tables {
  account: { id: string; owner: string; cents: string };
}

async function world(
  server: Provided,
  tables: string,
  { max = 10, lockTimeoutMs = 5_000 } = {},
): Promise<World> {
  const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
  const pool = await startDatabase(server, tables);
  const { connectionString = '' } = pool.options;
  const { pool: recorded, sent } = recordedPool(connectionString, max);
  const bank = settle.at(recorded, { resource: 'bank', lockTimeoutMs });
  return { settle, pool, bank, sent };
}

interface World {
  readonly settle: Settle;
  /** Past Settle. */
  readonly pool: pg.Pool;
  readonly bank: pg.Pool & {
    explain(sql: string, values?: readonly unknown[]): Promise<Explanation>;
  };
  /** Texts that went to the database, in their order. */
  readonly sent: string[];
}

function recordedPool(connectionString: string, max: number) {
  const pool = new pg.Pool({ connectionString, max });
  onTestFinished(() => pool.end());
  const sent: string[] = [];
  pool.on('connect', (client) => {
    const query: unknown = client.query;
    const recorded = (...given: unknown[]): unknown => {
      const [first] = given;
      if (typeof first === 'string') sent.push(first);
      else if (typeof first === 'object' && first !== null && 'text' in first) {
        sent.push(String(first.text));
      } else if (isQuery(first)) recordParses(first, sent);
      return Reflect.apply(query as () => unknown, client, given);
    };
    Object.defineProperty(client, 'query', { value: recorded });
  });
  return { pool, sent };
}

/** What `pg` sends without looking at it. */
interface Query {
  submit(connection: { parse(statement: { readonly text: string }): void }): unknown;
}

function isQuery(what: unknown): what is Query {
  return typeof what === 'object' && what !== null && 'submit' in what;
}

/** Of statements without a name: each is parsed when it is sent. */
function recordParses(query: Query, sent: string[]): void {
  const { submit } = query;
  const recorded: Query['submit'] = (connection) => {
    const { parse } = connection;
    const noted: typeof parse = (statement) => {
      sent.push(statement.text);
      Reflect.apply(parse, connection, [statement]);
    };
    Object.defineProperty(connection, 'parse', { value: noted, configurable: true });
    try {
      return Reflect.apply(submit, query, [connection]);
    } finally {
      Reflect.deleteProperty(connection, 'parse');
    }
  };
  Object.defineProperty(query, 'submit', { value: recorded });
}

async function writeOf(explained: Promise<Explanation>): Promise<WriteExplanation> {
  const explanation = await explained;
  if (explanation.kind !== 'write') throw new Error(explanationText(explanation));
  return explanation;
}

function runsOf(explanation: Explanation): readonly string[] {
  if (explanation.kind === 'refused') throw new Error(explanation.detail);
  return explanation.runs;
}
