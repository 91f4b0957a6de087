/** Group commit under Kysely: members stand and fall alone until the commit, and together with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type NodeSqlite, nodeSqlite } from '@settle/client/sqlite';
import { Kysely } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { groupCommitDialect } from '../../server/demo/group-commit-dialect.ts';

interface Tables {
  readonly person: { readonly name: string };
  readonly friendship: { readonly person: string };
}

let folder: string;
let db: Kysely<Tables>;
let executed: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settle-group-'));
  const path = join(folder, 'group.db');
  const setup = new DatabaseSync(path);
  setup.exec(`create table person (name text primary key) strict;
    create table friendship (person text not null
      references person (name) deferrable initially deferred) strict`);
  setup.close();
  executed = [];
  db = new Kysely<Tables>({ dialect: groupCommitDialect(recorded(nodeSqlite(path))) });
});

afterEach(async () => {
  await db.destroy();
  rmSync(folder, { recursive: true });
});

/** The database itself, with a list of the statements that it ran. */
function recorded(database: NodeSqlite): NodeSqlite {
  return {
    close: () => database.close(),
    prepare(sql) {
      const statement = database.prepare(sql);
      const run: typeof statement.run = (parameters) => {
        executed.push(sql);
        return statement.run(parameters);
      };
      return { ...statement, run };
    },
  };
}

function add(name: string, fails = false): Promise<unknown> {
  return db.transaction().execute(async (trx) => {
    await trx.insertInto('person').values({ name }).execute();
    if (fails) throw new Error(`not ${name}`);
  });
}

const names = async (): Promise<readonly string[]> =>
  (await db.selectFrom('person').select('name').orderBy('name').execute()).map(({ name }) => name);

const commits = (): number => executed.filter((sql) => sql === 'commit').length;

test('transactions started together share one commit; one that throws leaves alone', async () => {
  const ends = await Promise.allSettled([add('ann'), add('bob', true), add('cem')]);
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await names()).toEqual(['ann', 'cem']);
  expect(commits()).toBe(1);
});

test('one alone commits at once', async () => {
  await add('ann');
  expect(commits()).toBe(1);
  await add('bob');
  expect(commits()).toBe(2);
});

test('when the commit fails, all of the group fail, and the next group does not', async () => {
  const orphan = db
    .transaction()
    .execute((trx) => trx.insertInto('friendship').values({ person: 'nobody' }).execute());
  const ends = await Promise.allSettled([add('ann'), orphan, add('bob')]);
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await names()).toEqual([]);
  await add('cem');
  expect(await names()).toEqual(['cem']);
});

test('more than a group holds take several commits, in order', async () => {
  await Promise.all(Array.from({ length: 150 }, (_, number) => add(`person ${number}`)));
  expect(commits()).toBe(3);
  expect(await names()).toHaveLength(150);
});

test('a query of its own sees only what is committed', async () => {
  const [, seen] = await Promise.all([add('ann'), names(), add('bob')]);
  expect(seen).toEqual(['ann']);
  expect(commits()).toBe(2);
});
