/** What `apply` makes of logs that `step` would not have written: refused, or without effect. */
import { describe, expect, test } from 'vitest';
import { apply } from '../../server/core/apply.ts';
import { outstanding } from '../../server/core/outstanding.ts';
import type { LogRecord } from '../../server/core/record.ts';
import type { Transaction } from '../../server/core/transaction.ts';

const participant = { service: 'bank', method: 'debit' };
const beginning = { gid: 'g', name: 'n', content: 'c', epoch: 1, labels: {}, deadlineAtMs: null };
const begun: LogRecord = {
  kind: 'begun',
  ...beginning,
  branches: [{ branchId: 1, kind: 'tcc', participant, payload: null }],
  atMs: 1,
};
const step = { branchId: 1, name: 's', participant, after: [], isPivot: false, attemptsMax: 3 };
const submitted: LogRecord = {
  kind: 'submitted',
  ...beginning,
  input: null,
  steps: [step],
  atMs: 1,
};
const registered: LogRecord = {
  kind: 'registered',
  request: 'r',
  content: 'c',
  branches: [],
  atMs: 2,
};
const decided: LogRecord = {
  kind: 'decided',
  direction: 'rollback',
  cause: { kind: 'deadline' },
  atMs: 2,
};
const done: LogRecord = { kind: 'done', done: [{ branchId: 1, operation: 'run' }], atMs: 2 };
const attempted: LogRecord = { kind: 'attempted', branchId: 1, error: 'x', atMs: 2 };
const attention: LogRecord = {
  kind: 'attention',
  attention: { reason: 'retries', branchId: null, detail: 'x', atMs: 2 },
  atMs: 2,
};

const replay = (...records: readonly LogRecord[]): Transaction | null =>
  records.reduce<Transaction | null>((tx, record) => apply(tx, record), null);

describe('apply', () => {
  test.each([registered, decided, done, attempted, attention])(
    'refuses %j as the first record',
    (record) => {
      expect(() => apply(null, record)).toThrow(`first record of a gid cannot be '${record.kind}'`);
    },
  );

  test.each([begun, submitted])(
    'refuses a second beginning: nothing starts a gid anew',
    (first) => {
      for (const second of [begun, submitted]) {
        expect(() => replay(first, second)).toThrow('can only be the first record of a gid');
      }
    },
  );

  test('records of the other mode change nothing', () => {
    const transaction = replay(begun);
    expect(replay(begun, attempted)).toEqual(transaction);
    const saga = replay(submitted);
    expect(replay(submitted, registered)).toEqual(saga);
  });

  test('the kind of a branch decides what is owed, whichever record brought it', () => {
    const at = { branchId: 2, kind: 'at', participant, payload: null } as const;
    const late: LogRecord = { ...registered, branches: [at] };
    const owes = (direction: 'commit' | 'rollback') => {
      const tx = replay(begun, late, { ...decided, direction });
      return tx === null ? null : outstanding(tx).map((effect) => effect.key);
    };
    expect(owes('commit')).toEqual(['1:confirm', '2:commit']);
    expect(owes('rollback')).toEqual(['1:cancel', '2:rollback']);
  });

  test('a run that is done without a result has the result null', () => {
    const saga = replay(submitted, done);
    expect(saga).toMatchObject({ phase: 'committed', steps: [{ state: 'done', result: null }] });
  });

  test('a saga that rolls back by a record without an undo list has nothing to undo', () => {
    const saga = replay(submitted, decided);
    expect(saga).toMatchObject({ phase: 'rollingBack', undo: [] });
    expect(saga === null ? null : outstanding(saga)).toEqual([]);
  });

  test('a new state leaves the old one as it was', () => {
    const before = replay(begun);
    const copy = structuredClone(before);
    apply(before, decided);
    apply(before, attention);
    expect(before).toEqual(copy);
  });
});
