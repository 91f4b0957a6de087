/** What `explain` answers, as text; and that what `settle.at` gives back is what it was given. */
import type { Kysely } from 'kysely';
import type mysql from 'mysql2/promise';
import type pg from 'pg';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type Explanation,
  explanationText,
  type Settle,
  type WriteExplanation,
} from '../../../client-sdk/index.ts';

const upsert: WriteExplanation = {
  kind: 'write',
  change: 'upsert',
  isOwnLockOnly: false,
  tables: [
    {
      name: 'public.wallet',
      key: [
        { column: 'bank', form: 'text' },
        { column: 'owner', form: 'lower' },
      ],
      columns: [{ name: 'bank', type: 'integer', isGenerated: false }],
      lock: 'settle_undo (public.wallet, ["<bank>","<owner>"])',
    },
  ],
  sets: ['cents', 'note'],
  runs: ['select 1', 'insert into wallet\n  values ($1)\nreturning 1'],
  runsIfThere: ['update'],
  images: { before: true, after: true },
  undo: ['delete', 'update'],
  refusedIf: ['this: do that', 'those: do these'],
};

describe('explanationText', () => {
  it('is some lines, each text on one', () => {
    expect(explanationText(upsert)).toBe(
      `
write: upsert of public.wallet
  key      bank, owner (as lower)
  sets     cents, note
  images   before and after
  lock     settle_undo (public.wallet, ["<bank>","<owner>"])
  runs     select 1
           insert into wallet values ($1) returning 1
  or       update
  undo     delete
           update
  refused  if it is this: do that; or those: do these`.trim(),
    );
  });

  it.each<readonly [Explanation, string]>([
    [
      { kind: 'refused', code: 'AT_UNSUPPORTED_SQL', detail: 'truncate: use `delete`' },
      'refused: AT_UNSUPPORTED_SQL\ntruncate: use `delete`',
    ],
    [{ kind: 'read', functions: ['now'], runs: ['select now()'] }, 'read: runs as it is'],
    [{ kind: 'session', runs: ['show all'] }, 'session: runs as it is'],
    [
      { kind: 'control', verb: 'rollbackTo', runs: ['rollback to a'] },
      'control: rollback to savepoint\n  runs     rollback to a',
    ],
  ])('says of %o what it is', (explanation, text) => {
    expect(explanationText(explanation)).toBe(text);
  });
});

interface Tables {
  account: { id: string };
}

/** Never called: the compiler reads it. */
function typesOf(settle: Settle, kysely: Kysely<Tables>, pool: pg.Pool, mysqlPool: mysql.Pool) {
  const options = { resource: 'bank' };
  const db = settle.at(kysely, options);
  const shop = settle.at(pool, options);
  const stock = settle.at(mysqlPool, options);
  expectTypeOf(db).toExtend<Kysely<Tables>>();
  expectTypeOf(shop).toExtend<pg.Pool>();
  expectTypeOf(stock).toExtend<mysql.Pool>();
  expectTypeOf(db.explain).returns.resolves.toEqualTypeOf<Explanation>();
  expectTypeOf(shop.explain).toBeCallableWith('select 1', [1]);
  expectTypeOf(stock.explain).toBeCallableWith('select 1');
  expectTypeOf(db.explain).toBeCallableWith(db.selectFrom('account').select('id').compile());
  expectTypeOf<typeof db>().toHaveProperty('selectFrom');
  const plain: { db: Kysely<Tables>; shop: pg.Pool; stock: mysql.Pool } = { db, shop, stock };
  return plain;
}

it('the types of databases stay what they are', () => {
  expectTypeOf(typesOf).returns.toHaveProperty('db');
});
