/**
 * `explain` on MySQL and MariaDB: says of each statement of the corpus what becomes of it, and runs
 * nothing. The texts that it shows are those that are sent when the statement runs, and when it is
 * undone, but for the values that it could not know.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type Explainable,
  type Explanation,
  explanationText,
  type Settle,
  type WriteExplanation,
} from '../../client-sdk/index.ts';
import { allRows as noLimit } from '../../client-sdk/resource/mysql/compose.ts';
import { withoutLook } from '../../client-sdk/resource/mysql/undo-rows.ts';
import { describeOn, type Provided } from '../support/databases.ts';
import { mysqlCorpus } from './corpus/mysql.ts';
import { mysqlSchema, mysqlTables } from './corpus/mysql-schema.ts';
import { kyselyOnMysql, mysqlRows, startMysql } from './mysql-world.ts';
import { startCoordinator, startService } from './world.ts';

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
});
afterAll(() => coordinator.stop());

const schema = [
  `create table account (id bigint primary key, owner varchar(20) character set latin1 not null,
    cents bigint not null,
    seen timestamp not null default current_timestamp on update current_timestamp)`,
  `insert into account (id, owner, cents) values (1, 'Ada', 1000), (2, 'Bob', 500)`,
  'create table badge (code varchar(20) character set latin1, day date, at timestamp, n int, primary key (code, day, at))',
  `insert into badge values ('gold', '2020-02-03', '2020-02-03 04:05:06', 1)`,
];

await describeOn('mysql', (server) => {
  describe('the corpus', () => {
    it('is what it runs as, or refused, and not a row of it changes', async () => {
      const { bank, pool } = await world(server, mysqlSchema);
      const before = await Promise.all(mysqlTables.map((table) => mysqlRows(pool, table)));
      const onlyWhenRun: string[] = [];
      for (const { sql, parameters, ...one } of mysqlCorpus) {
        const explanation = await bank.explain(sql, parameters);
        const kind = explanation.kind === 'write' ? explanation.change : explanation.kind;
        if (one.expect === 'refused' && kind !== 'refused') onlyWhenRun.push(sql);
        else expect([sql, kind]).toEqual([sql, one.expect === 'refused' ? 'refused' : one.as]);
      }
      // Which rows there are, only a look at them tells, and that some of the new ones are one.
      expect(onlyWhenRun).toEqual([
        "insert ignore into acct (id, owner) values (60, 'a'), (60, 'b')",
        'insert into acct (id, owner) values (1, ?), (99, ?) on duplicate key update cents = 1',
        "insert into seat values (7, 7, 'ann', 'Z') on duplicate key update label = 'met'",
        'insert into item (id, name, email) values (1, ?, ?), (2, ?, ?) on duplicate key update email = concat(email, values(name))',
        "insert into acct (id, owner) values (70, 'a'), (70, 'b') on duplicate key update cents = 1",
        "replace into acct (id, owner) values (70, 'a'), (70, 'b')",
      ]);
      const after = await Promise.all(mysqlTables.map((table) => mysqlRows(pool, table)));
      expect(after).toEqual(before);
    });

    it('is the same without values', async () => {
      const { bank } = await world(server, mysqlSchema);
      for (const one of mysqlCorpus) {
        if (one.expect === 'refused') continue;
        const explanation = await bank.explain(one.sql);
        const kind = explanation.kind === 'write' ? explanation.change : explanation;
        if (['read', 'session', 'control'].includes(one.as)) continue;
        expect([one.sql, kind]).toEqual([one.sql, one.as]);
      }
    });

    it('runs the texts that it is said to run', async () => {
      const { settle, bank, sent } = await world(server, mysqlSchema);
      const differing: unknown[] = [];
      let compared = 0;
      for (const one of mysqlCorpus) {
        if (one.expect !== 'supported' || one.as === 'control' || one.sql.trim() === '') continue;
        const explanation = await bank.explain(one.sql, one.parameters);
        const ran: string[] = [];
        const back = settle.transaction({}, async () => {
          await bank.query(one.sql, [...one.parameters]);
          ran.push(...sent.filter((text) => !ofOurs.test(text)));
          throw new Error('back');
        });
        sent.length = 0;
        await expect(back).rejects.toThrow('back');
        // A statement that found no row has nothing to read again.
        if (ran.some((text) => text.includes('rand() < 0') || / \(?1 = 0/.test(text))) continue;
        const there = explanation.kind === 'write' ? explanation.runsIfThere : null;
        const said = [runsOf(explanation), there ?? []].map((texts) => texts.map(withoutValues));
        const shown = ran.map(withoutValues);
        const isSaid = said.some((texts) => texts.join('\n') === shown.join('\n'));
        if (!isSaid) differing.push({ sql: one.sql, shown, said });
        compared += 1;
      }
      expect(differing).toEqual([]);
      expect(compared).toBeGreaterThan(80);
    });
  });

  describe('what undoes it', () => {
    const ada: Values = { id: '1', owner: letters('Ada'), cents: '1000' };
    const bob: Values = { id: '2', owner: letters('Bob'), cents: '500' };
    const gold: Values = {
      code: letters('gold'),
      day: "_utf8mb4'2020-02-03'",
      at: '…',
    };
    it.each<readonly [sql: string, parameters: readonly unknown[], values: Values, texts: number]>([
      ["insert into account (id, owner, cents) values (7, 'new', ?)", [7], { id: '7' }, 1],
      ['update account set cents = cents - ?, owner = upper(owner) where id = 1', [7], ada, 1],
      ['delete from account where id = 2', [], bob, 1],
      [`${upsert} (7, 'new', ?) on duplicate key update cents = 0`, [7], { id: '7' }, 2],
      [`${upsert} (1, 'x', ?) on duplicate key update cents = 0`, [7], ada, 2],
      ["replace into account (id, owner, cents) values (2, 'x', ?)", [7], bob, 3],
      ['select * from account where cents > ? for update', [7], {}, 0],
      ['update badge set n = n + ?', [1], { ...gold, n: '1' }, 1],
    ])('%s', async (sql, parameters, values, texts) => {
      const { settle, bank, sent, pool } = await world(server, schema);
      const { undo } = await writeOf(bank.explain(sql, parameters));
      expect(undo).toHaveLength(texts);
      const before = await allRows(pool);
      const back = settle.transaction({}, async (tx) => {
        const headers = await tx.headers();
        await outside(() => settle.join(headers, () => bank.query(sql, [...parameters])));
        sent.length = 0;
        throw new Error('back');
      });
      await expect(back).rejects.toThrow('back');
      expect(await allRows(pool)).toEqual(before);
      const wrote = sent.filter((text) => /^(insert into|update|delete from) `/.test(text));
      expect(wrote).toHaveLength(Math.min(texts, 1));
      const shown = undo.map((text) => inserted(text, values));
      for (const text of wrote) expect(shown).toContain(inserted(text, {}));
    });
  });

  it('reads the catalogue in a transaction that reads and is rolled back', async () => {
    const { bank, sent } = await world(server, schema);
    await bank.explain('update account set cents = 0 where owner = lower(?)');
    const begun = 'start transaction read only';
    expect(sent.filter((text) => text.startsWith('start'))).toEqual([begun]);
    expect(sent.slice(-2)).toEqual(['rollback', expect.stringMatching(/^set @@session/)]);
    const asked = sent.slice(0, -2);
    expect(asked.filter((text) => !ofOurs.test(text))).toEqual([begun]);
  });

  it('waits for nobody who has the rows', async () => {
    const { bank, pool } = await world(server, schema);
    const other = await pool.getConnection();
    await other.query('start transaction');
    await other.query('select * from account for update');
    const sql = "replace into account (id, owner, cents) values (1, 'x', 0)";
    expect(await bank.explain(sql)).toMatchObject({ kind: 'write', change: 'upsert' });
    await other.query('rollback');
    other.release();
  });

  it('works inside of a global transaction, which goes on', async () => {
    const { settle, bank, pool } = await world(server, schema);
    await settle.transaction({}, async () => {
      await bank.query('update account set cents = cents + 1');
      expect(await bank.explain('truncate account')).toEqual({
        ...{ kind: 'refused', code: 'AT_UNSUPPORTED_SQL' },
        detail: expect.stringContaining('truncate'),
      });
      expect(await bank.explain('delete from account')).toMatchObject({ kind: 'write' });
    });
    const [rows] = await pool.query({ sql: 'select cents from account', rowsAsArray: true });
    expect(rows).toEqual([[1001], [501]]);
  });

  it('says what an update is made of', async () => {
    const { bank } = await world(server, schema);
    const explanation = await writeOf(bank.explain('update account set cents = ? where id = ?'));
    expect(explanation.tables[0]?.key).toEqual([{ column: 'id', form: 'text' }]);
    const text = explanationText(explanation).replaceAll(/settle_test_\w+/g, 'shop');
    expect(text.replaceAll(/select convert\(.*?\) as settle_before/g, 'select …')).toBe(updateText);
  });

  it('says which keys are compared by weight, and so how they are locked', async () => {
    const { bank } = await world(server, schema);
    const { tables } = await writeOf(bank.explain('delete from badge'));
    expect(tables[0]?.key).toEqual([
      { column: 'code', form: 'weight' },
      { column: 'day', form: 'text' },
      { column: 'at', form: 'text' },
    ]);
    expect(tables[0]?.lock).toMatch(/`badge`, \["<code>","<day>","<at>"\]\)$/);
  });

  it('says what runs when rows are new, what when they are there, and what is refused', async () => {
    const { bank } = await world(server, schema);
    const one = `${upsert} (?, ?, ?) on duplicate key update cents = cents + 1`;
    const { runs, runsIfThere, refusedIf } = await writeOf(bank.explain(one, [1, 'Ada', 5]));
    expect(runs.filter((text) => text.startsWith('insert'))).toEqual([`${upsert} (?, ?, ?)`]);
    expect(runsIfThere?.filter((text) => text.startsWith('insert'))).toEqual([one]);
    expect(refusedIf).toEqual([]);
    const two = await writeOf(
      bank.explain(`${upsert} (1, 'a', 1), (2, 'b', 2) on duplicate key update cents = 0`),
    );
    expect(two.refusedIf).toEqual([
      expect.stringMatching(/with some rows that are there and some that are not/),
    ]);
  });

  it('depends on the values, where the key is one', async () => {
    const { bank } = await world(server, schema);
    const sql = `${upsert} (?, ?, ?)`;
    expect(await bank.explain(sql, [7, 'x', 1])).toMatchObject({ kind: 'write' });
    expect(await bank.explain(sql)).toMatchObject({ kind: 'write' });
    expect(await bank.explain(sql, ['7x', 'x', 1])).toMatchObject({ kind: 'refused' });
    expect(await bank.explain(sql, [7])).toMatchObject({ kind: 'refused' });
  });

  it('takes what Kysely compiles', async () => {
    const { settle, url, pool } = await world(server, schema);
    const db = settle.at(kyselyOnMysql<Tables>(url), { resource: 'kysely' });
    const query = db.updateTable('account').set({ cents: 5 }).where('id', '=', 1);
    const explanation = await writeOf(db.explain(query.compile()));
    expect(explanation).toMatchObject({ change: 'update', sets: ['cents'] });
    const [rows] = await pool.query({ sql: 'select cents from account', rowsAsArray: true });
    expect(rows).toEqual([[1000], [500]]);
  });
});

const upsert = 'insert into account (id, owner, cents) values';

const updateText = `
write: update of \`shop\`.\`account\`
  key      id
  sets     cents
  images   before and after
  lock     settle_undo (\`shop\`.\`account\`, ["<id>"])
  runs     select … from account where id = ? for update
           update account set cents = ? where ((\`account\`.\`id\` = cast(? as signed)))
           select … from \`shop\`.\`account\` as settle_row where (settle_row.\`id\` = <id>) for update
  undo     update \`shop\`.\`account\` as t set t.\`cents\` = <cents>, t.\`seen\` = <seen> where (t.\`id\` = <id>)
`.trim();

interface Tables {
  account: { id: number; owner: string; cents: number };
}

/** Expressions by column, as Settle writes them. */
type Values = Readonly<Record<string, string>>;

function letters(text: string): string {
  return `convert(x'${Buffer.from(text).toString('hex').toUpperCase()}' using latin1)`;
}

/** With the values in place; the time that the database sets by itself, and collations, left out. */
function inserted(text: string, values: Values): string {
  const filled = text.replaceAll(/<(\w+)>/g, (place, name: string) => values[name] ?? place);
  return filled.replaceAll(/<seen>|from_unixtime\(\d{10}\)/g, '…').replaceAll(/ collate \w+/g, '');
}

async function allRows(pool: mysql.Pool): Promise<readonly string[]> {
  return [...(await mysqlRows(pool, 'account')), ...(await mysqlRows(pool, 'badge'))];
}

/** Of the local transaction, and of the catalogue. */
const begins =
  'start transaction$|begin not atomic (set @settle_|start transaction;)|set @settle_|rollback$';
const asks = 'select (database|connection_id|version)\\(\\)';
const ofOurs = new RegExp(`^(${begins}|${asks})|information_schema\\.|^show grants`);

const value = [
  ...[
    '<[^>]+>',
    "_utf8mb4'[^']*'",
    "'[^']*'",
    String.raw`-?\d[\d.]*`,
    String.raw`from_unixtime\([^)]*\)`,
  ],
  ...[String.raw`convert\((?:unhex\(\?\)|x'\w*') using \w+\)(?: collate \w+)?`, "x'\\w*'"],
  ...[String.raw`cast\(\? as (?:\w+|decimal\(\d+,\d+\))\)`, String.raw`unhex\(\?\)`],
].join('|');
const keyIs = new RegExp(`((?:[\\w$]+\\.|\`[^\`]+\`\\.)*\`[^\`]+\` = )(?:${value})`, 'g');

/** Keys without their values, and a condition that comes again and again once: for any rows. */
function withoutValues(text: string): string {
  // Not of a limit that the user has given.
  const whole = withoutLook(text.replace(` ${noLimit}`, ''));
  const bare = whole.replaceAll(keyIs, '$1…').replaceAll(/\(([\w`.$]+ = …)\)/g, '$1');
  return bare.replaceAll(/((?:\([^()]*…\))|(?:[\w`.$]+ = …))(?: or \1)+/g, '$1');
}

async function world(server: Provided, tables: readonly string[]): Promise<World> {
  const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
  const { pool, url } = await startMysql(server, tables);
  const { pool: recorded, sent } = recordedPool(url);
  const bank = settle.at(recorded, { resource: 'bank' });
  return { settle, pool, url, bank, sent };
}

interface World {
  readonly settle: Settle;
  /** Past Settle. */
  readonly pool: mysql.Pool;
  readonly url: string;
  readonly bank: mysql.Pool & Explainable;
  /** Texts that went to the database, in their order. */
  readonly sent: string[];
}

/** A pool of whose connections it is known what they send. */
function recordedPool(uri: string) {
  const pool = mysql.createPool({ uri, connectionLimit: 10, charset: 'utf8mb4' });
  onTestFinished(() => pool.end());
  const sent: string[] = [];
  const getConnection = pool.getConnection.bind(pool);
  pool.getConnection = async () => {
    const connection = await getConnection();
    for (const verb of ['query', 'execute'] as const) {
      const send: unknown = connection[verb];
      const recorded = (...given: unknown[]): unknown => {
        const [first] = given;
        if (typeof first === 'string') sent.push(first);
        else if (typeof first === 'object' && first !== null && 'sql' in first) {
          sent.push(String(first.sql));
        }
        return Reflect.apply(send as () => unknown, connection, given);
      };
      Object.defineProperty(connection, verb, { value: recorded });
    }
    return connection;
  };
  return { pool, sent };
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
