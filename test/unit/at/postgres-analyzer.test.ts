/** PostgreSQL's statements by their texts alone: what they are, what is refused, how they are rewritten. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../../client-sdk/protocol/index.ts';
import { createPostgresAnalyzer } from '../../../client-sdk/resource/postgres/analyzer.ts';
import type { Rewritten, WriteStatement } from '../../../client-sdk/resource/statement.ts';
import { createTextCache } from '../../../client-sdk/resource/text-cache.ts';
import { postgresCorpus } from '../../at/corpus/postgres.ts';
import { corpusFacts } from './corpus-facts.ts';

const analyzer = createPostgresAnalyzer();

async function write(sql: string): Promise<WriteStatement> {
  const analysis = await analyzer.analyze(sql);
  if (analysis.kind !== 'write') throw new Error(`${sql} is of kind ${analysis.kind}`);
  return analysis;
}

async function rewrite(sql: string): Promise<Rewritten> {
  const { tables } = await write(sql);
  return analyzer.rewrite(sql, tables.map(corpusFacts));
}

const refusal = {
  code: 'AT_UNSUPPORTED_SQL',
  detail: expect.stringMatching(/^.{2,}: .{8,}$/s),
};

describe('the corpus', () => {
  it('has at least 150 statements, none twice', () => {
    const texts = postgresCorpus.map(({ sql }) => sql);
    expect(texts.length).toBeGreaterThanOrEqual(150);
    expect(new Set(texts).size).toBe(texts.length);
  });

  for (const one of postgresCorpus) {
    it(`${one.expect}: ${one.sql}`, async () => {
      if (one.expect === 'refused') {
        if (one.refusedBy === 'text') await expect(outcome(one.sql)).rejects.toMatchObject(refusal);
        else await analyzer.analyze(one.sql);
        return;
      }
      const analysis = await analyzer.analyze(one.sql);
      expect(analysis.kind === 'write' ? analysis.change : analysis.kind).toBe(one.as);
      if (analysis.kind !== 'write') return;
      const rewritten = await rewrite(one.sql);
      expect(rewritten.text).toContain('settle_before');
      expect(rewritten.before === null).toBe(one.as !== 'upsert');
      const own = parametersOf(one.sql);
      const look = rewritten.keyParameters === null ? [] : [`$${own.length + 1}`];
      expect(parametersOf(rewritten.text)).toEqual([...own, ...look]);
    });
  }
});

async function outcome(sql: string): Promise<unknown> {
  const analysis = await analyzer.analyze(sql);
  return analysis.kind === 'write' ? rewrite(sql) : analysis;
}

function parametersOf(sql: string): readonly string[] {
  return [...new Set(sql.match(/\$\d+/g))].sort();
}

describe('analysis', () => {
  it('names the table as the statement does, with the columns that it sets', async () => {
    expect(await write('update "Shop"."A b" set x = 1, y[2] = 3, (x, z) = (1, 2)')).toEqual({
      kind: 'write',
      change: 'update',
      tables: [{ schema: 'Shop', name: 'A b' }],
      columnsSet: ['x', 'y', 'z'],
      functions: [],
    });
    const upsert = 'insert into acct (id) values (1) on conflict (id) do update set note = now()';
    expect(await write(upsert)).toMatchObject({
      change: 'upsert',
      columnsSet: ['note'],
      functions: ['now'],
    });
  });

  it('finds functions wherever they are called', async () => {
    const sql = `with a as (select one(1)) select two(), shop."Three"(x order by four())
      filter (where five()) over (partition by six()), (select seven())
      from eight() e join lateral nine(e) on ten() where x in (eleven()) group by twelve()
      order by thirteen() limit fourteen()`;
    const analysis = await analyzer.analyze(sql);
    expect(analysis.kind === 'read' && analysis.functions.toSorted()).toEqual(
      'eight eleven five four fourteen nine one seven shop."Three" six ten thirteen twelve two'.split(
        ' ',
      ),
    );
  });

  it('names savepoints', async () => {
    const one = { kind: 'control', verb: 'rollbackTo', name: 'One' };
    expect(await analyzer.analyze('rollback to savepoint "One"')).toEqual(one);
    const begin = { kind: 'control', verb: 'begin', name: null };
    expect(await analyzer.analyze('START TRANSACTION;')).toEqual(begin);
  });

  it('lists locked tables in the order of from, a table twice when it is there twice', async () => {
    const sql = `select * from shop.acct s join acct a on a.id = s.id, acct b
      for share of b for update of a, s`;
    expect((await write(sql)).tables).toEqual([
      { schema: 'shop', name: 'acct' },
      { schema: null, name: 'acct' },
      { schema: null, name: 'acct' },
    ]);
  });

  it('refuses what hides behind a NUL character', async () => {
    await expect(analyzer.analyze('select 1 \0; delete from acct')).rejects.toMatchObject(refusal);
  });

  it('reads texts up to a million characters', async () => {
    const text = "select 'x'".padEnd(limits.sqlLengthMax);
    expect(await analyzer.analyze(text)).toEqual({ kind: 'read', functions: [] });
    await expect(analyzer.analyze(`${text} `)).rejects.toMatchObject(refusal);
  });

  it('refuses what is nested too deep, and goes on', async () => {
    const deep = `select ${'('.repeat(100_000)}1${')'.repeat(100_000)}`;
    await expect(analyzer.analyze(deep)).rejects.toMatchObject(refusal);
    const long = `delete from acct where id = 1${' + 1'.repeat(20_000)}`;
    await expect(outcome(long)).rejects.toMatchObject(refusal);
    expect(await analyzer.analyze('select 1')).toEqual({ kind: 'read', functions: [] });
  });
});

describe('rewriting', () => {
  it('locks the rows of an update first, and takes both images', async () => {
    const sql = 'update acct a set cents = $1 where a.id = $2';
    const { text, givesRows, keyParameters } = await rewrite(sql);
    const image =
      "(CASE a.tableoid WHEN CAST('acct' AS regclass) THEN 'acct' " +
      'ELSE CAST(CAST(a.tableoid AS regclass) AS text) END) || a.*::text';
    const update = (taken: string) =>
      `WITH settle_rows AS MATERIALIZED (SELECT a.id AS settle_key_1, ${taken} AS ` +
      'settle_row FROM acct AS a WHERE a.id = $2 ORDER BY a.id FOR NO KEY UPDATE OF a) UPDATE acct AS a ' +
      'SET cents = $1 FROM settle_rows WHERE a.id = $2 AND a.id = settle_rows.settle_key_1 ' +
      `RETURNING settle_rows.settle_row AS settle_before, ${taken} AS settle_after, ` +
      "settle_is_held_now('acct', CAST($3 AS text)) AS settle_held";
    expect(text).toBe(update(image));
    expect({ givesRows, keyParameters }).toEqual({ givesRows: false, keyParameters: [2] });
  });

  it.each([
    ['timestamp with time zone', 'acct'],
    ['numeric(10,2)[]', 'acct'],
    ['shop.text', 'acct'],
    ['"char"', 'acct'],
    ['xml', 'acct'],
    ['integer', 'shop."a\\b"'],
  ])('takes images by our function where settings may matter: %s in %s', async (type, id) => {
    const facts = corpusFacts({ schema: null, name: 'acct' });
    const column = { name: 'more', type, isGenerated: false, isAlwaysIdentity: false };
    const columns = [...facts.columns, column];
    const sql = 'update acct set cents = 1';
    const { text } = await analyzer.rewrite(sql, [{ ...facts, id, columns }]);
    expect(text.match(/settle_image\(acct\.\*\)/g)).toHaveLength(2);
    expect(text).not.toContain('tableoid');
  });

  it('asks once for what may answer otherwise the second time', async () => {
    const sql = 'update acct set cents = 0 where id = (select id from acct limit 1)';
    expect((await rewrite(sql)).text.match(/LIMIT 1/g)).toHaveLength(1);
    const random = 'update acct set cents = 0 where random() < 0.5';
    expect((await rewrite(random)).text.match(/random/g)).toHaveLength(1);
  });

  it('spells out `returning *`, so that our columns do not come with it', async () => {
    const sql =
      'update acct a set cents = 0 from item i, shop.acct s where a.id = s.id returning *';
    expect((await rewrite(sql)).text).toContain('RETURNING a.*, i.*, s.*, settle_rows.settle_row');
  });

  it('says which rows an upsert can meet, with their parameters numbered anew', async () => {
    const { text, before } = await rewrite(
      `insert into item (sku, pos, order_id, qty) values ($1, $3, $2, 1), ('x', 7, $3, 1)
       on conflict (order_id, pos) do update set qty = 2`,
    );
    expect(before).toEqual({
      text:
        'SELECT settle_image(item.*) AS settle_before FROM item, ( VALUES (CAST($1 AS int), ' +
        'CAST($2 AS int)), (CAST($2 AS int), 7::int) ) AS ' +
        'settle_given(settle_key_1, settle_key_2) WHERE item.order_id = settle_given.settle_key_1 ' +
        'AND item.pos = settle_given.settle_key_2 ORDER BY item.order_id, item.pos ' +
        'FOR NO KEY UPDATE OF item',
      parameters: [2, 3],
    });
    expect(text).toMatch(/\nreturning NULL::text AS .*, item.xmax = 0 AS settle_inserted$/);
  });

  it('is remembered until the facts change', async () => {
    const facts = corpusFacts({ schema: null, name: 'acct' });
    const sql = 'update acct set cents = 5';
    const first = await analyzer.rewrite(sql, [facts]);
    expect(await analyzer.rewrite(sql, [{ ...facts, hazards: [] }])).toBe(first);
    const other = await analyzer.rewrite(sql, [
      { ...facts, key: [{ name: 'note', form: 'text' }] },
    ]);
    expect(other.text).toContain('acct.note = settle_rows.settle_key_1');
  });

  it('refuses a table without a key, and columns that are called like ours', async () => {
    const facts = corpusFacts({ schema: null, name: 'acct' });
    const sql = 'delete from acct where id = 1';
    const keyless = { ...facts, key: [] };
    await expect(analyzer.rewrite(sql, [keyless])).rejects.toMatchObject(refusal);
    const column = { name: 'settle_before', type: 'text', isGenerated: false };
    const named = { ...facts, columns: [{ ...column, isAlwaysIdentity: false }] };
    await expect(analyzer.rewrite(sql, [named])).rejects.toMatchObject(refusal);
  });

  it('refuses what is refused, also when nobody has asked for the analysis', async () => {
    const facts = [corpusFacts({ schema: null, name: 'acct' })];
    await expect(analyzer.rewrite('truncate acct', facts)).rejects.toMatchObject(refusal);
    await expect(analyzer.rewrite('select 1', facts)).rejects.toMatchObject(refusal);
  });

  it('leaves every word of an insert or delete where it is', async () => {
    const images = 'NULL::text AS settle_before, settle_image(acct.*) AS settle_after';
    const cases = {
      "insert into acct values (1, 'x;') -- why;": `\nreturning ${images}`,
      'insert into acct (id)  select 7 returning id ; ;': `\n, ${images}`,
      "insert into acct (id, note) values (1, json_value('{}', '$.a'));": `\nreturning ${images}`,
    };
    for (const [sql, added] of Object.entries(cases)) {
      expect((await rewrite(sql)).text).toBe(`${sql.replace(/[; ]+$/, '')}${added}`);
    }
    const commented = 'delete from acct where id = 1; -- gone';
    expect((await rewrite(commented)).text).toContain('DELETE FROM acct WHERE id = 1 RETURNING');
  });

  it('refuses what its writer would get wrong', async () => {
    const { parse } = await import('libpg-query');
    const careless = createPostgresAnalyzer(async () => ({
      parse,
      deparse: () => 'update acct set cents = 1',
    }));
    const facts = [corpusFacts({ schema: null, name: 'acct' })];
    const sql = 'update acct set cents = 1 where id = 1';
    await expect(careless.rewrite(sql, facts)).rejects.toMatchObject(refusal);
  });
});

describe('the packages', () => {
  it('says what to install, and looks again with the next statement', async () => {
    const { parse } = await import('libpg-query');
    let isInstalled = false;
    const late = createPostgresAnalyzer(async () => {
      if (!isInstalled) throw new Error("Cannot find package 'libpg-query'");
      return { parse, deparse: () => '' };
    });
    await expect(late.analyze('select 1')).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      detail: expect.stringContaining('npm install libpg-query@18.1.5 pgsql-deparser@18.3.8'),
    });
    isInstalled = true;
    expect(await late.analyze('select 1')).toEqual({ kind: 'read', functions: [] });
  });
});

describe('what is remembered', () => {
  it('is a thousand texts, the ones used last', () => {
    const cache = createTextCache<number>();
    for (let n = 0; n < 1_000; n += 1) cache.set(`text ${n}`, n);
    expect(cache.get('text 0')).toBe(0);
    cache.set('one more', -1);
    expect(cache.get('text 1')).toBeUndefined();
    expect(cache.get('text 0')).toBe(0);
    expect(cache.get('one more')).toBe(-1);
  });

  it('is four million characters, and no text of more than a hundred thousand', () => {
    const cache = createTextCache<number>();
    cache.set('x'.repeat(100_001), 0);
    expect(cache.get('x'.repeat(100_001))).toBeUndefined();
    for (let n = 0; n < 41; n += 1) cache.set(String(n).padEnd(100_000), n);
    expect(cache.get('0'.padEnd(100_000))).toBeUndefined();
    expect(cache.get('1'.padEnd(100_000))).toBe(1);
  });
});
