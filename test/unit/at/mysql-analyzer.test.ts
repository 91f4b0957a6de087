/** What texts of MySQL are, without a database: the corpus, and what its lines cannot say. */
import { describe, expect, it } from 'vitest';
import { createMysqlAnalyzer } from '../../../client-sdk/resource/mysql/analyzer.ts';
import { mysqlCorpus } from '../../at/corpus/mysql.ts';

const analyzer = createMysqlAnalyzer();

describe('the corpus of MySQL', () => {
  it('is large enough and says nothing twice', () => {
    const lines = mysqlCorpus.map(({ sql, parameters }) => sql + String(parameters));
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines.length).toBeGreaterThanOrEqual(150);
  });

  it.each(mysqlCorpus.map((one) => [one.sql, one] as const))('%s', async (sql, one) => {
    if (one.expect === 'refused' && one.refusedBy === 'text') {
      await expect(analyzer.analyze(sql)).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
      return;
    }
    const analysis = await analyzer.analyze(sql);
    if (one.expect === 'refused') return;
    expect(analysis.kind === 'write' ? analysis.change : analysis.kind).toBe(one.as);
  });
});

describe('a text of MySQL', () => {
  it('names its table, columns and functions', async () => {
    const sql = 'update shop.acct a set a.cents = shop.twice(a.cents), `Note` = now(6)';
    expect(await analyzer.analyze(sql)).toEqual({
      kind: 'write',
      change: 'update',
      tables: [{ schema: 'shop', name: 'acct' }],
      columnsSet: ['cents', 'Note'],
      functions: ['shop.twice', 'now'],
    });
  });

  it('of an insert does not name its table among the functions', async () => {
    const sql = 'insert into acct (id, owner) values (1, lower(?)) on duplicate key update id = 2';
    const analysis = await analyzer.analyze(sql);
    expect(analysis).toMatchObject({ functions: ['lower'], columnsSet: ['id'] });
  });

  it('locks the tables that it names', async () => {
    const one = await analyzer.analyze('select 1 from a join b on a.x = b.x for update of b');
    expect(one).toMatchObject({ tables: [{ schema: null, name: 'b' }] });
    const both = await analyzer.analyze('select 1 from a join db.b as c on a.x = c.x for share');
    expect(both).toMatchObject({ tables: [{ name: 'a' }, { schema: 'db', name: 'b' }] });
  });

  it('has parts with the parameters that stand in them', async () => {
    const sql = 'update a set x = ? /* y */ , z = f(?) where q in (?, ?) order by ? limit ?';
    const parts = await analyzer.partsOf(sql);
    expect(parts).toMatchObject({
      parameters: 6,
      shape: {
        set: { text: 'x = ? , z = f(?)', parameters: [0, 1] },
        where: { text: 'q in (?, ?)', parameters: [2, 3] },
        order: { text: '?', parameters: [4] },
        limit: { text: '?', parameters: [5] },
      },
    });
  });

  it('reads what follows a period as a name', async () => {
    const parts = await analyzer.partsOf('update t set t.where = 1, t.limit = 2 where t.order = 3');
    expect(parts).toMatchObject({ shape: { set: { text: 't.where = 1, t.limit = 2' } } });
  });

  it('of savepoints has names without case', async () => {
    const analysis = await analyzer.analyze('rollback work to savepoint `Here`');
    expect(analysis).toEqual({ kind: 'control', verb: 'rollbackTo', name: 'here' });
  });

  it.each([
    ['select 1 -- \u00a0?', 'a question mark in a comment'],
    ['select 1 --1', null],
    ['select 1\u00a0', 'the character'],
    ['select `a\\`', 'a backslash in quotes'],
    ['select 1abc', 'no space behind 1'],
    ["select 'a''b' 'c'", null],
    ["select 'a'/**/'b'", null],
    ['select ?1', 'no space behind ?'],
    ['select @`a`', 'a variable with a quoted name'],
    ['select 1; # end', null],
  ])('%s', async (sql, says) => {
    const analysis = analyzer.analyze(sql).then(({ kind }) => kind, String);
    if (says === null) expect(await analysis).toMatch(/^read$|AT_UNSUPPORTED_SQL/);
    else expect(await analysis).toContain(says);
  });

  it('needs the parser, and says how to install it', async () => {
    const missing = createMysqlAnalyzer(() => Promise.reject(new Error('not found')));
    const analysis = missing.analyze('select 1');
    await expect(analysis).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    await expect(analysis).rejects.toThrow('npm install @guanmingchiu/sqlparser-ts@0.62.0');
  });
});
