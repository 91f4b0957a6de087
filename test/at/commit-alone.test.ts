/** The commit of a database alone, when the lock that was in its way goes while it looks. */
import { expect, it } from 'vitest';
import type { Session } from '../../client-sdk/resource/facts.ts';
import type { UndoStore } from '../../client-sdk/resource/undo-store.ts';
import { describeOn } from '../support/databases.ts';
import * as mysql from './mysql-undo-world.ts';
import * as postgres from './postgres-undo-world.ts';

const row = { table: 'public.t', key: '["1"]' };
const held = { gid: 'other', branchId: 1 };

/** `begun`: a session whose local transaction has changed a row that another gid has locked. */
async function expectCommitted(
  store: UndoStore,
  { begun, other }: { readonly begun: Session; readonly other: Session },
): Promise<void> {
  await store.insert(other, held, [{ ...row, before: null, after: { id: '1' } }]);
  expect(await store.commitUnlessHeld(begun, 'g', [row])).toMatchObject([{ gid: 'other' }]);
  let texts = 0;
  const slow: Session = {
    async query(text, parameters) {
      // Behind the first look, before whatever comes next.
      texts += 1;
      if (texts === 2) await store.clear(other, ['other']);
      return begun.query(text, parameters);
    },
  };
  const holders = await store.commitUnlessHeld(slow, 'g', [row]);
  await store.clear(other, ['other']);
  if (holders.length > 0) expect(await store.commitUnlessHeld(begun, 'g', [row])).toEqual([]);
  expect((await other.query('select n from t')).rows).toEqual([{ n: 7 }]);
}

await describeOn('postgres', (server) => {
  it('is done, or says who is in the way', async () => {
    const schema = 'create table t (id int primary key, n int); insert into t values (1, 0)';
    const { session: begun, open } = await postgres.openDatabase(server, schema);
    await begun.query('begin');
    await begun.query('update t set n = 7');
    await expectCommitted(postgres.store, { begun, other: await open() });
  });
});

await describeOn('mysql', (server) => {
  it('is done, or says who is in the way', async () => {
    const schema = ['create table t (id int primary key, n int)', 'insert into t values (1, 0)'];
    const { session: begun, open } = await mysql.openDatabase(server, schema);
    await begun.query('begin');
    await begun.query('update t set n = 7');
    await expectCommitted(mysql.store, { begun, other: await open() });
  });
});
