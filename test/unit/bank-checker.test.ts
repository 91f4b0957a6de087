/**
 * The bank's checker can fail: a short, right record of a few transfers, then one thing made wrong at
 * a time. Those of kind `at` have their own record in `bank-wallets.test.ts`. Each rule is caught by at least one of them, and the right record by none. The timetable of
 * faults, which the same seed must give again, is looked at too.
 */
import { expect, test } from 'vitest';
import type { LogRecord } from '../../server/core/record.ts';
import { indexRow, replay } from '../../server/engine/codec.ts';
import { toSummary } from '../../server/engine/view.ts';
import { type LogRow, shardOf as slotOf } from '../../server/log/log.ts';
import { seededRandom } from '../../server/runtime/random.ts';
import { accountsOf, openingCents, type Shard, shards } from '../blackbox/bank/cast.ts';
import { check, type Rule, shortestWitness } from '../blackbox/bank/checker.ts';
import type { Evidence, LedgerRow, ShardReading } from '../blackbox/bank/evidence.ts';
import type { AccountSeen, HistoryLine } from '../blackbox/bank/history.ts';
import { planNemesis } from '../blackbox/bank/nemesis-plan.ts';
import { drawTransfer, type Transfer } from '../blackbox/bank/transfers.ts';

const paid: Transfer = {
  ...{ gid: 'paid', mode: 'transaction', story: 'pay', from: 'a-1', to: 'b-1', fees: 'c-0' },
  ...{ cents: 100, feeCents: 0 },
};
const undone: Transfer = {
  ...{ gid: 'undone', mode: 'saga', story: 'closed', from: 'a-2', to: 'b-9', fees: 'c-0' },
  ...{ cents: 200, feeCents: 3 },
};
const left: Transfer = {
  ...{ gid: 'left', mode: 'transaction', story: 'abandoned', from: 'b-3', to: 'c-3', fees: 'a-0' },
  ...{ cents: 50, feeCents: 0 },
};

function begun({ gid, from, to, cents }: Transfer, atMs: number): LogRecord {
  const branch = (branchId: number, account: string, method: string) => {
    const participant = { service: `bank-${account[0]}`, method };
    return { branchId, kind: 'tcc', participant, payload: { account, cents } } as const;
  };
  const branches = [branch(1, from, 'debit'), branch(2, to, 'credit')];
  const fixed = { name: 'bank-transfer', content: 'c', epoch: 1, labels: {}, deadlineAtMs: null };
  return { kind: 'begun', gid, ...fixed, branches, atMs };
}

function submitted({ gid }: Transfer, atMs: number): LogRecord {
  const step = (branchId: number, name: string) => {
    const participant = { service: 'bank-a', method: name };
    const after = branchId === 1 ? [] : [branchId - 1];
    return { branchId, name, participant, after, isPivot: false, attemptsMax: 3 };
  };
  const steps = [step(1, 'withdraw'), step(2, 'fee'), step(3, 'deposit')];
  const fixed = { name: 'bank-transfer', content: 'c', epoch: 1, labels: {}, deadlineAtMs: null };
  return { kind: 'submitted', gid, ...fixed, input: null, steps, atMs };
}

type Done = Extract<LogRecord, { readonly kind: 'done' }>['done'][number];

function done(atMs: number, operation: Done['operation'], ...ids: number[]): LogRecord {
  return { kind: 'done', done: ids.map((branchId) => ({ branchId, operation })), atMs };
}

const records: readonly (readonly [string, readonly LogRecord[]])[] = [
  [
    'paid',
    [
      begun(paid, 10),
      { kind: 'decided', direction: 'commit', cause: { kind: 'initiator' }, atMs: 20 },
      done(30, 'confirm', 1, 2),
    ],
  ],
  [
    'undone',
    [
      submitted(undone, 100),
      done(110, 'run', 1),
      done(120, 'run', 2),
      {
        kind: 'decided',
        direction: 'rollback',
        cause: { kind: 'refused', branchId: 3 },
        undo: [2, 1],
        atMs: 130,
      },
      done(140, 'undo', 2),
      done(150, 'undo', 1),
    ],
  ],
  [
    'left',
    [
      begun(left, 200),
      { kind: 'decided', direction: 'rollback', cause: { kind: 'deadline' }, atMs: 220 },
      done(230, 'cancel', 1, 2),
    ],
  ],
];

const rows: readonly LogRow[] = records.flatMap(([gid, own]) =>
  own.map((record, place) => ({
    ...{ gid, seq: place + 1, shard: slotOf(gid), epoch: 1, atMs: 0 },
    records: JSON.stringify([record]),
  })),
);

const ledger: Readonly<Record<Shard, readonly LedgerRow[]>> = {
  a: [
    { gid: 'paid', branch_id: 1, operation: 'try', account: 'a-1', cents: 100, change: 0 },
    { gid: 'paid', branch_id: 1, operation: 'confirm', account: 'a-1', cents: 100, change: -100 },
    { gid: 'undone', branch_id: 1, operation: 'run', account: 'a-2', cents: 203, change: -203 },
    { gid: 'undone', branch_id: 1, operation: 'undo', account: 'a-2', cents: 203, change: 203 },
  ],
  b: [
    { gid: 'paid', branch_id: 2, operation: 'try', account: 'b-1', cents: 100, change: 0 },
    { gid: 'paid', branch_id: 2, operation: 'confirm', account: 'b-1', cents: 100, change: 100 },
    { gid: 'left', branch_id: 1, operation: 'try', account: 'b-3', cents: 50, change: 0 },
    { gid: 'left', branch_id: 1, operation: 'cancel', account: 'b-3', cents: 50, change: 0 },
  ],
  c: [
    { gid: 'undone', branch_id: 2, operation: 'run', account: 'c-0', cents: 3, change: 3 },
    { gid: 'undone', branch_id: 2, operation: 'undo', account: 'c-0', cents: 3, change: -3 },
  ],
};

function reading(shard: Shard): ShardReading {
  const own = ledger[shard];
  const barrier = own.map(({ gid, branch_id, operation }) => {
    return { gid, branch_id, operation, state: 'done' } as const;
  });
  // The try of the second branch never came before its cancel.
  const blocked = { gid: 'left', branch_id: 2, operation: 'try', state: 'blocked' } as const;
  return {
    shard,
    accounts: accountsOf(shard).map(({ account }) => {
      const grown = own.filter((row) => row.account === account);
      const cents = openingCents + grown.reduce((sum, row) => sum + row.change, 0);
      return { account, opening: openingCents, cents, held: 0 };
    }),
    reservations: [],
    ledger: own,
    barrier: shard === 'c' ? [...barrier, blocked] : barrier,
    ...{ wallets: [], entries: [], purses: [], undo: [], sessions: 0 },
  };
}

const seen: readonly AccountSeen[] = shards.flatMap((shard) =>
  accountsOf(shard).map(({ account }) => ({ shard, account, cents: openingCents, held: 0 })),
);

function read(t: number, number: number, change: Readonly<Record<string, number>>): HistoryLine[] {
  const accounts = seen.map((each) => {
    return { ...each, cents: each.cents + (change[each.account] ?? 0) };
  });
  const fixed = { process: 'reader-1', f: 'read', gid: null } as const;
  return [
    { ...fixed, t: t - 2, type: 'invoke', value: number },
    { ...fixed, t, type: 'ok', value: { number, accounts } },
  ];
}

const history: readonly HistoryLine[] = [
  ...[paid, undone, left].map((value): HistoryLine => {
    return { t: 5, process: 'teller-1.1', type: 'invoke', f: 'transfer', gid: value.gid, value };
  }),
  { t: 31, process: 'teller-1.1', type: 'ok', f: 'transfer', gid: 'paid', value: 'committed' },
  { t: 160, process: 'teller-1.1', type: 'fail', f: 'transfer', gid: 'undone', value: 'REFUSED' },
  { t: 210, process: 'teller-1.1', type: 'info', f: 'transfer', gid: 'left', value: 'abandoned' },
  ...read(15, 0, {}),
  // Half of a transfer, while it is on its way; then of a saga that will be undone.
  ...read(25, 1, { 'a-1': -100 }),
  ...read(115, 2, { 'a-1': -100, 'b-1': 100, 'a-2': -203 }),
];

function rightRecord(): Evidence {
  const states = records.map(([gid]) => {
    const replayed = replay(rows.filter((row) => row.gid === gid));
    if (!replayed.ok || replayed.tx === null) throw new Error(`${gid} cannot be replayed`);
    return replayed.tx;
  });
  const index = states.map((tx) => indexRow(tx, slotOf(tx.gid)));
  return {
    history,
    shards: shards.map(reading),
    rows,
    index,
    terms: [{ epoch: 1, isOver: false }],
    api: index.map((row, place) => toSummary(row, states[place] ?? null)),
    crashes: [],
  };
}

const right = rightRecord();

function inShard(shard: Shard, change: (reading: ShardReading) => Partial<ShardReading>): Evidence {
  return {
    ...right,
    shards: right.shards.map((each) =>
      each.shard === shard ? { ...each, ...change(each) } : each,
    ),
  };
}

function withLedger(shard: Shard, change: (rows: readonly LedgerRow[]) => LedgerRow[]): Evidence {
  return inShard(shard, (each) => ({ ledger: change(each.ledger) }));
}

function told(gid: string, type: 'ok' | 'fail', value: string): Evidence {
  const line = { t: 999, process: 'teller-1.1', type, f: 'transfer', gid, value } as const;
  return { ...right, history: [...history, line] };
}

function withRows(gid: string, change: (rows: readonly LogRow[]) => readonly LogRow[]): Evidence {
  const rest = rows.filter((row) => row.gid !== gid);
  return { ...right, rows: [...rest, ...change(rows.filter((row) => row.gid === gid))] };
}

const decidedAgain = JSON.stringify([
  { kind: 'decided', direction: 'rollback', cause: { kind: 'deadline' }, atMs: 25 },
]);

const tampered: readonly (readonly [string, Rule, Evidence])[] = [
  ['half of a commit', 'ledger', withLedger('b', (all) => all.filter((r) => r.branch_id !== 2))],
  [
    'confirm and cancel',
    'ledger',
    withLedger('a', (all) => [
      ...all,
      { gid: 'paid', branch_id: 1, operation: 'cancel', account: 'a-1', cents: 100, change: 0 },
    ]),
  ],
  ['a step run twice', 'ledger', withLedger('c', (all) => [...all, ...all.slice(0, 1)])],
  ['a step not undone', 'ledger', withLedger('c', (all) => all.slice(0, 1))],
  [
    'another amount',
    'ledger',
    withLedger('a', (all) => all.map((r) => ({ ...r, cents: r.cents + 1 }))),
  ],
  [
    'a stranger',
    'ledger',
    withLedger('a', (all) => [...all, ...all.slice(0, 1).map((r) => ({ ...r, gid: 'x' }))]),
  ],
  [
    'money from nowhere',
    'money',
    inShard('a', (each) => ({
      accounts: each.accounts.map((account) => ({ ...account, cents: account.cents + 1 })),
    })),
  ],
  [
    'money moves too early',
    'reads',
    { ...right, history: [...history, ...read(15, 9, { 'a-1': -1 })] },
  ],
  [
    'too much on its way',
    'reads',
    { ...right, history: [...history, ...read(25, 9, { 'a-1': -101 })] },
  ],
  [
    'spent without having',
    'reads',
    { ...right, history: [...history, ...read(15, 9, { 'a-1': -100_001, 'a-2': 100_001 })] },
  ],
  ['told committed, was not', 'replies', told('undone', 'ok', 'committed')],
  ['told committed, never begun', 'replies', told('never', 'ok', 'committed')],
  ['told rolled back, was not', 'replies', told('paid', 'fail', 'ROLLED_BACK')],
  [
    'an abandoned one commits',
    'replies',
    {
      ...right,
      history: history.map((line) =>
        line.f === 'transfer' && line.type === 'invoke' && line.gid === 'paid'
          ? { ...line, value: { ...line.value, story: 'abandoned' } }
          : line,
      ),
    },
  ],
  ['open at the end', 'residue', withRows('paid', (own) => own.slice(0, 2))],
  [
    'a reservation left',
    'residue',
    inShard('b', () => ({ reservations: [{ gid: 'paid', branch_id: 2 }] })),
  ],
  [
    'money held',
    'residue',
    inShard('b', (each) => ({ accounts: each.accounts.map((a) => ({ ...a, held: 5 })) })),
  ],
  ['a guard row without work', 'residue', withLedger('b', (all) => all.slice(1))],
  [
    'a blocked row of a commit',
    'residue',
    inShard('c', (each) => ({ barrier: each.barrier.map((row) => ({ ...row, gid: 'paid' })) })),
  ],
  ['a gap', 'log', withRows('paid', (own) => own.map((r) => (r.seq === 3 ? { ...r, seq: 4 } : r)))],
  [
    'decided twice',
    'log',
    withRows('paid', (own) =>
      own.flatMap((row) =>
        row.seq === 3
          ? [
              { ...row, records: decidedAgain },
              { ...row, seq: 4 },
            ]
          : [row],
      ),
    ),
  ],
  [
    'an earlier term writes later',
    'log',
    {
      ...withRows('paid', (own) => own.map((r) => (r.seq === 1 ? { ...r, epoch: 2 } : r))),
      terms: [1, 2].map((epoch) => ({ epoch, isOver: epoch === 1 })),
    },
  ],
  [
    'a term that nobody has',
    'log',
    withRows('paid', (own) => own.map((r) => ({ ...r, epoch: 7 }))),
  ],
  [
    'two terms at once',
    'log',
    { ...right, terms: [1, 2].map((epoch) => ({ epoch, isOver: false })) },
  ],
  ['another log shard', 'log', withRows('paid', (own) => own.map((r) => ({ ...r, shard: 64 })))],
  [
    'what no one can read',
    'log',
    withRows('paid', (own) => own.map((r) => ({ ...r, records: '[' }))),
  ],
  [
    'the index says otherwise',
    'log',
    { ...right, index: right.index.map((row) => ({ ...row, outcome: null })) },
  ],
  [
    'the API says otherwise',
    'api',
    { ...right, api: right.api.map((s) => ({ ...s, cause: null })) },
  ],
  ['the API forgets', 'api', { ...right, api: right.api.slice(1) }],
  ['a process ended by itself', 'crash', { ...right, crashes: ['bank-a ended by itself'] }],
];

test('the right record has no violation, and is counted right', () => {
  expect(check(right)).toEqual({
    ...{ transfers: 3, committed: 1, rolledBack: 2, unknown: 1 },
    kinds: {
      tcc: { transfers: 2, committed: 1, rolledBack: 1, unknown: 1 },
      saga: { transfers: 1, committed: 0, rolledBack: 1, unknown: 0 },
      at: { transfers: 0, committed: 0, rolledBack: 0, unknown: 0 },
    },
    ...{ lockConflicts: 0, undone: 0 },
    violations: [],
  });
});

test.each(tampered)('%s: caught by the rule about %s', (_what, rule, evidence) => {
  const { violations } = check(evidence);
  expect(violations.map((violation) => violation.rule)).toContain(rule);
});

test('the witness tells the whole story of one gid, by time', () => {
  const evidence = told('undone', 'ok', 'committed');
  const witness = shortestWitness(evidence, check(evidence).violations);
  expect(witness[0]).toBe('replies: undone: its initiator was told committed, it is rolledBack');
  expect(witness.filter((line) => line.includes(' log seq '))).toHaveLength(6);
  expect(witness.filter((line) => line.startsWith('ledger '))).toHaveLength(4);
});

test('the same seed gives the same timetable, and a short one meets every kind of fault', () => {
  const plan = () => planNemesis(60_000, seededRandom(5), null);
  expect(plan()).toEqual(plan());
  expect(planNemesis(60_000, seededRandom(6), null)).not.toEqual(plan());
  expect(new Set(plan().map((appointment) => appointment.kind)).size).toBe(5);
  for (const { atMs, forMs } of plan()) expect(atMs + forMs).toBeLessThanOrEqual(60_000);
});

test('about one transfer in four is doomed, between three different shards', () => {
  const random = seededRandom(1);
  const drawn = Array.from({ length: 2_000 }, (_, number) => drawTransfer(`t.${number}`, random));
  const share = (story: Transfer['story']) =>
    drawn.filter((transfer) => transfer.story === story).length / drawn.length;
  expect(share('closed') + share('regret')).toBeGreaterThan(0.17);
  expect(share('closed') + share('regret')).toBeLessThan(0.23);
  expect(share('abandoned')).toBeCloseTo(0.05, 1);
  for (const { from, to, fees } of drawn) {
    expect(new Set([from, to, fees].map((account) => account[0])).size).toBe(3);
  }
});
