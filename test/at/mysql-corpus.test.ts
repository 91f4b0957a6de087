/**
 * The corpus of MySQL on a real server: each statement runs with images, answers as if it had run
 * alone and does the same; its images are of every row that changed; undone by hand, all rows are as
 * they were. And what happens when another transaction comes in between.
 */
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { undoSchema } from '../../client-sdk/participant/undo-schema.ts';
import { describeOn } from '../support/databases.ts';
import { mysqlCorpus, type SupportedCase } from './corpus/mysql.ts';
import { mysqlSchema, mysqlTables } from './corpus/mysql-schema.ts';
import {
  imagesOf,
  plainly,
  type Statement,
  undoByHand,
  type Way,
  withImages,
} from './mysql-statement-world.ts';

const ways: readonly Way[] = ['query', 'execute'];
const writes: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'upsert', 'lock']);

const supported = mysqlCorpus.filter((one): one is SupportedCase => one.expect === 'supported');
const written = supported.filter(({ as }) => writes.has(as));
const read = supported.filter(({ as, sql }) => as === 'read' && sql !== '');
const refused = mysqlCorpus.filter(({ expect: expected }) => expected === 'refused');

await describeOn('mysql', (server) => {
  let pool: mysql.Pool;
  beforeAll(async () => {
    const uri = await server.newDatabase();
    pool = mysql.createPool({ uri, connectionLimit: 4, charset: 'utf8mb4' });
    // Rows that are read again are looked at for undo rows.
    for (const text of [...undoSchema('mysql'), ...mysqlSchema]) await pool.query(text);
  });
  afterAll(() => pool.end());

  /** Runs in a transaction that is rolled back; numbers start where they did. */
  const rolledBack = async <T>(work: (connection: mysql.PoolConnection) => Promise<T>) => {
    const connection = await pool.getConnection();
    try {
      await connection.query('set timestamp = 1600000000');
      await connection.query('set transaction isolation level read committed');
      await connection.query('start transaction');
      return await work(connection);
    } finally {
      await connection.query('rollback');
      await connection.query('alter table item auto_increment = 1');
      await connection.query('alter table ticket auto_increment = 1');
      connection.release();
    }
  };

  describe.each(ways)('with %s', (way) => {
    it.each(written.map((one) => [one.sql, one] as const))('%s', async (_, one) => {
      const alone = await rolledBack(async (connection) => {
        const answer = await plainly(connection, one, way);
        return { answer, rows: await imagesOf(connection, mysqlTables) };
      });
      await rolledBack(async (connection) => {
        const before = await imagesOf(connection, mysqlTables);
        const { answer, steps } = await withImages(connection, one, { way });
        const after = await imagesOf(connection, mysqlTables);
        expect(answer).toEqual(alone.answer);
        expect(after).toEqual(alone.rows);
        const told = new Map(before);
        for (const step of steps) {
          const name = `${step.table} ${step.key}`;
          expect(told.get(name) ?? null).toEqual(step.before);
          if (step.after === null) told.delete(name);
          else told.set(name, step.after);
        }
        expect(told).toEqual(after);
        await undoByHand(connection, steps);
        expect(await imagesOf(connection, mysqlTables)).toEqual(before);
      });
    });

    it.each(read.map((one) => [one.sql, one] as const))('%s', async (_, one) => {
      const ran = await rolledBack((connection) => withImages(connection, one, { way }));
      expect(ran.answer).toEqual(await rolledBack((same) => plainly(same, one, way)));
    });

    it.each(refused.map((one) => [one.sql, one] as const))('%s', async (_, one) => {
      const before = await rolledBack((connection) => imagesOf(connection, mysqlTables));
      const ran = rolledBack((connection) => withImages(connection, one, { way }));
      await expect(ran).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
      const after = await rolledBack((connection) => imagesOf(connection, mysqlTables));
      expect(after).toEqual(before);
    });
  });

  it('locks what a select locks: every row of it has a step', async () => {
    const sql = 'select a.id, l.no from acct a left join line l on l.order_id = a.id for update';
    const { steps } = await rolledBack((connection) =>
      withImages(connection, { sql, parameters: [] }, { way: 'execute' }),
    );
    expect(steps.map(({ key }) => key).sort()).toEqual([
      ...['["1","1"]', '["1","2"]', '["1"]', '["2","1"]', '["2"]', '["3"]', '["4"]'],
    ]);
  });

  describe('when another transaction inserts a row in between', () => {
    const other = "insert into acct (id, owner) values (90, 'other')";
    const meeting = async (statement: Statement, ofOther: string, first: RegExp) => {
      let isDone = false;
      const between = async (text: string) => {
        if (isDone || !first.test(text)) return;
        isDone = true;
        await pool.query(ofOther);
      };
      try {
        return await rolledBack((connection) =>
          withImages(connection, statement, { way: 'execute', between }),
        );
      } finally {
        expect(isDone).toBe(true);
        const [rows] = await pool.query<mysql.RowDataPacket[]>(
          'select owner from acct where id >= 90',
        );
        expect(rows).toEqual([{ owner: 'other' }]);
        await pool.query('delete from acct where id >= 90');
      }
    };

    it.each([
      'insert into acct (id, owner) values (90, ?) on duplicate key update cents = cents + 1',
      'insert into acct (id, owner) values (90, ?) on duplicate key update owner = owner',
      'insert ignore into acct (id, owner) values (90, ?)',
      'replace into acct (id, owner) values (90, ?)',
      "replace into acct (id, owner) values (90, ?), (1, 'Ada')",
      "insert ignore into acct (id, owner) values (90, ?), (1, 'x')",
    ])('%s is refused, and their row stays', async (sql) => {
      const ran = meeting({ sql, parameters: ['ours'] }, other, /^(insert|replace)/);
      await expect(ran).rejects.toMatchObject({ code: 'AT_UNSUPPORTED_SQL' });
    });

    it('an update leaves it alone', async () => {
      const sql = "update acct set note = 'ours' where cents >= 0 order by id desc limit 2";
      const { steps, answer } = await meeting({ sql, parameters: [] }, other, /^update/);
      expect(steps.map(({ key }) => key)).toEqual(['["4"]', '["3"]']);
      expect(answer).toMatchObject({ affectedRows: 2 });
    });

    it('a delete leaves it alone', async () => {
      const { steps } = await meeting(
        { sql: 'delete from acct', parameters: [] },
        other,
        /^delete/,
      );
      expect(steps.map(({ key }) => key)).toEqual(['["1"]', '["2"]', '["3"]', '["4"]']);
    });
  });

  it('changes the rows that a volatile condition chose, and no others', async () => {
    const statement = { sql: 'update acct set cents = -1 where rand() < 0.5', parameters: [] };
    for (let round = 0; round < 10; round += 1) {
      await rolledBack(async (connection) => {
        const { steps } = await withImages(connection, statement, { way: 'query' });
        const [rows] = await connection.query<mysql.RowDataPacket[]>(
          'select id from acct where cents = -1 order by id',
        );
        expect(rows.map(({ id }) => `["${id}"]`)).toEqual(steps.map(({ key }) => key).sort());
      });
    }
  });
});
