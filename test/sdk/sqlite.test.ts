/** The adapter for Node's SQLite, as Kysely's dialect uses it: statements are kept, results are not. */
import { expect, test } from 'vitest';
import { nodeSqlite } from '../../client-sdk/participant/sqlite.ts';

function withNumbers(count: number) {
  const db = nodeSqlite(':memory:');
  db.prepare('create table number (n integer)').run([]);
  for (let n = 1; n <= count; n += 1) db.prepare('insert into number values (?)').run([n]);
  return db;
}

test('a text is prepared once, and runs with the parameters of each time', () => {
  const db = withNumbers(3);
  const text = 'select n from number where n > ? order by n';
  expect(db.prepare(text)).toBe(db.prepare(text));
  expect(db.prepare(text).all([1])).toEqual([{ n: 2 }, { n: 3 }]);
  expect(db.prepare(text).all([2])).toEqual([{ n: 3 }]);
  db.close();
});

test('an iteration goes on when its text is run meanwhile', () => {
  const db = withNumbers(3);
  const text = 'select n from number order by n';
  const seen: unknown[] = [];
  for (const row of db.prepare(text).iterate([])) {
    seen.push(row);
    expect(db.prepare(text).all([])).toHaveLength(3);
  }
  expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  db.close();
});

test('a kept statement sees a changed table', () => {
  const db = withNumbers(1);
  const all = () => db.prepare('select * from number').all([]);
  expect(all()).toEqual([{ n: 1 }]);
  db.prepare("alter table number add column name text default 'one'").run([]);
  expect(all()).toEqual([{ n: 1, name: 'one' }]);
  db.close();
});

test('more texts than are kept do no harm', () => {
  const db = withNumbers(1);
  for (let n = 0; n < 600; n += 1) {
    expect(db.prepare(`select ${n} as it`).all([])).toEqual([{ it: n }]);
  }
  db.close();
});
