/**
 * The bank's checker can fail, part two: a short, right record of transfers of kind `at`, then one
 * thing made wrong at a time, and what is drawn for them.
 */
import { expect, test } from 'vitest';
import type { LogRecord } from '../../server/core/record.ts';
import { indexRow, replay } from '../../server/engine/codec.ts';
import { toSummary } from '../../server/engine/view.ts';
import { type LogRow, shardOf as slotOf } from '../../server/log/log.ts';
import { seededRandom } from '../../server/runtime/random.ts';
import { isPurse, shardOf } from '../blackbox/bank/cast.ts';
import { check, type Rule } from '../blackbox/bank/checker.ts';
import type { Evidence, ShardReading, WalletEntry } from '../blackbox/bank/evidence.ts';
import type { HistoryLine } from '../blackbox/bank/history.ts';
import { markOf } from '../blackbox/bank/purses.ts';
import {
  drawWalletTransfer,
  type Leg,
  legsOf,
  type Route,
  type WalletStory,
  type WalletTransfer,
} from '../blackbox/bank/wallet-transfers.ts';

function transfer(gid: string, route: Route, story: WalletStory): WalletTransfer {
  const legs = [
    { wallet: 'a-wallet-1', amount: -10 },
    { wallet: route === 'alone' ? 'a-wallet-2' : 'b-wallet-1', amount: 10 },
  ];
  const vaultLegs = route === 'vault' ? 1 : 0;
  return {
    ...{ gid, mode: 'at', story, route, desk: 'desk-1', vault: 'vault-1' },
    ...{ isLocking: false, lingerMs: 0 },
    ...{ vaultLegs: legs.slice(0, vaultLegs), deskLegs: legs.slice(vaultLegs) },
  };
}

function inPurses(one: WalletTransfer): WalletTransfer {
  const purse = (leg: Leg) => ({ ...leg, wallet: leg.wallet.replace('wallet', 'purse') });
  return { ...one, deskLegs: one.deskLegs.map(purse) };
}

const transfers = [
  transfer('both', 'vault', 'pay'),
  transfer('near', 'alone', 'pay'),
  transfer('sorry', 'vault', 'regret'),
  transfer('nothing', 'alone', 'poor'),
  inPurses(transfer('cash', 'desk', 'pay')),
];

function recordsOf(gid: string, direction: 'commit' | 'rollback'): readonly LogRecord[] {
  const branch = (branchId: number, shard: string) => {
    const participant = { service: 'desk', method: `at.shard-${shard}` };
    return { branchId, kind: 'at', participant, payload: null } as const;
  };
  const fixed = { name: 'w', content: 'c', epoch: 1, labels: {}, deadlineAtMs: null, atMs: 10 };
  const done = [1, 2].map((branchId) => ({ branchId, operation: direction }));
  return [
    { kind: 'begun', gid, ...fixed, branches: [branch(1, 'a'), branch(2, 'b')] },
    { kind: 'decided', direction, cause: { kind: 'initiator' }, atMs: 20 },
    { kind: 'done', done, atMs: 30 },
  ];
}

const rows: readonly LogRow[] = [
  ...recordsOf('both', 'commit').map((record, place) => rowOf('both', place, record)),
  ...recordsOf('sorry', 'rollback').map((record, place) => rowOf('sorry', place, record)),
  ...recordsOf('cash', 'commit').map((record, place) => rowOf('cash', place, record)),
];

function rowOf(gid: string, place: number, record: LogRecord): LogRow {
  const fixed = { gid, seq: place + 1, shard: slotOf(gid), epoch: 1, atMs: 0 };
  return { ...fixed, records: JSON.stringify([record]) };
}

const entries: readonly WalletEntry[] = [
  { gid: 'both', wallet: 'a-wallet-1', amount: -10, cents: 90, version: 1 },
  { gid: 'both', wallet: 'b-wallet-1', amount: 10, cents: 110, version: 1 },
  { gid: 'near', wallet: 'a-wallet-1', amount: -10, cents: 80, version: 2 },
  { gid: 'near', wallet: 'a-wallet-2', amount: 10, cents: 110, version: 1 },
];

function barrierOf(branch_id: number): ShardReading['barrier'] {
  const row = (gid: string, operation: string, state: 'done' | 'blocked') => ({
    ...{ gid, branch_id, operation, state },
  });
  const both = row('both', 'prepare', 'done');
  // The vault had committed; the desk never did.
  const cash = row('cash', 'prepare', 'done');
  if (branch_id === 2) return [both, row('sorry', 'prepare', 'blocked'), cash];
  return [both, row('sorry', 'prepare', 'done'), row('sorry', 'rollback', 'done'), cash];
}

const untouched = { cents: 100, version: 0, mark: 0 };

function purseOf(shard: 'a' | 'b') {
  const leg = { wallet: `${shard}-purse-1`, amount: shard === 'a' ? -10 : 10 };
  const changed = { cents: 100 + leg.amount, version: 1, mark: String(markOf('cash', leg)) };
  return { purse: leg.wallet, opening: 100, ...changed };
}

function reading(shard: 'a' | 'b'): ShardReading {
  const wallet = (name: string, cents: number, version: number) => {
    return { wallet: name, opening: 100, cents, version };
  };
  return {
    ...{ shard, accounts: [], reservations: [], ledger: [], undo: [], sessions: 0 },
    barrier: barrierOf(shard === 'a' ? 1 : 2),
    entries: entries.filter((entry) => shardOf(entry.wallet) === shard),
    purses: [purseOf(shard), { ...purseOf(shard), ...untouched, purse: `${shard}-purse-2` }],
    wallets:
      shard === 'a'
        ? [wallet('a-wallet-1', 80, 2), wallet('a-wallet-2', 110, 1)]
        : [wallet('b-wallet-1', 110, 1)],
  };
}

function told(gid: string, type: 'ok' | 'fail' | 'info', value: string): HistoryLine {
  return { t: 40, process: 'teller-1.1', type, f: 'transfer', gid, value };
}

const history: readonly HistoryLine[] = [
  ...transfers.map((value): HistoryLine => {
    return { t: 5, process: 'teller-1.1', type: 'invoke', f: 'transfer', gid: value.gid, value };
  }),
  told('both', 'ok', 'committed'),
  told('near', 'info', 'UNKNOWN'),
  told('sorry', 'fail', 'LOCK_CONFLICT'),
  told('nothing', 'fail', 'refused'),
  told('cash', 'ok', 'committed'),
];

function rightRecord(): Evidence {
  const states = ['both', 'sorry', 'cash'].map((gid) => {
    const replayed = replay(rows.filter((row) => row.gid === gid));
    if (!replayed.ok || replayed.tx === null) throw new Error(`${gid} cannot be replayed`);
    return replayed.tx;
  });
  const index = states.map((tx) => indexRow(tx, slotOf(tx.gid)));
  return {
    ...{ history, rows, index, crashes: [] },
    shards: [reading('a'), reading('b')],
    terms: [{ epoch: 1, isOver: false }],
    api: index.map((row, place) => toSummary(row, states[place] ?? null)),
  };
}

const right = rightRecord();

function inShardA(change: (reading: ShardReading) => Partial<ShardReading>): Evidence {
  const [a, ...others] = right.shards;
  if (a === undefined) throw new Error('the record has no shard');
  return { ...right, shards: [{ ...a, ...change(a) }, ...others] };
}

/** The wallet as these changes leave it, so that only the entries are wrong. */
function withEntries(
  change: (entries: readonly WalletEntry[]) => readonly WalletEntry[],
): Evidence {
  return inShardA((a) => ({ entries: change(a.entries) }));
}

const extra = { gid: 'sorry', wallet: 'a-wallet-1', amount: -10, cents: 70, version: 3 };

const tampered: readonly (readonly [string, Rule, Evidence])[] = [
  ['half of a commit', 'wallets', withEntries((all) => all.filter((row) => row.gid !== 'both'))],
  ['a leg twice', 'wallets', withEntries((all) => [...all, ...all.slice(0, 1)])],
  ['an undo row forgotten', 'wallets', withEntries((all) => [...all, extra])],
  [
    'a wallet that stays as it was before the rollback',
    'versions',
    inShardA((a) => ({ wallets: a.wallets.map((row) => ({ ...row, cents: row.cents - 10 })) })),
  ],
  ['nobody asked', 'wallets', withEntries((all) => [...all, { ...extra, gid: 'x' }])],
  [
    'half of what one database did alone',
    'wallets',
    withEntries((all) => all.filter((row) => row.wallet !== 'a-wallet-2')),
  ],
  [
    'alone, told committed, nothing there',
    'wallets',
    {
      ...withEntries((all) => all.filter((row) => row.gid !== 'near')),
      history: [...history, told('near', 'ok', 'committed')],
    },
  ],
  [
    'alone, told never, it is there',
    'wallets',
    { ...right, history: [...history, told('near', 'fail', 'UNREACHABLE')] },
  ],
  [
    'alone, and the coordinator was asked',
    'wallets',
    {
      ...right,
      history: history.map((line) =>
        line.f === 'transfer' && line.type === 'invoke' && line.gid === 'both'
          ? { ...line, value: transfer('both', 'alone', 'pay') }
          : line,
      ),
    },
  ],
  [
    'a lost update',
    'versions',
    withEntries((all) => all.map((row) => (row.version === 2 ? { ...row, cents: 90 } : row))),
  ],
  [
    'on top of what was taken back',
    'versions',
    withEntries((all) => all.map((row) => (row.version === 2 ? { ...row, version: 3 } : row))),
  ],
  [
    'a purse without what was committed',
    'purses',
    inShardA(({ purses }) => ({ purses: purses.map((row) => ({ ...row, ...untouched })) })),
  ],
  [
    'a purse that another one has changed as much',
    'purses',
    inShardA(({ purses }) => ({
      purses: purses.map((row) => ({ ...row, mark: row.version === 0 ? 0 : 7 })),
    })),
  ],
  [
    'a purse that was changed twice',
    'purses',
    inShardA(({ purses }) => ({
      purses: purses.map((row) => ({ ...row, version: row.version * 2 })),
    })),
  ],
  [
    'an undo row left',
    'undo',
    inShardA(() => ({ undo: [{ gid: 'both', table_name: 'wallet', row_key: 'k' }] })),
  ],
  ['a local transaction left', 'undo', inShardA(() => ({ sessions: 1 }))],
  [
    'committed without its branch',
    'undo',
    inShardA(({ barrier }) => ({ barrier: barrier.slice(1) })),
  ],
  ['not rolled back', 'undo', inShardA(({ barrier }) => ({ barrier: barrier.slice(0, 2) }))],
  [
    'a branch that nobody registered',
    'undo',
    inShardA(({ barrier }) => ({
      barrier: [...barrier, { gid: 'near', branch_id: 1, operation: 'prepare', state: 'done' }],
    })),
  ],
  [
    'told never, it committed',
    'replies',
    { ...right, history: [...history, told('both', 'fail', 'LOCK_CONFLICT')] },
  ],
  [
    'told committed, it did not',
    'replies',
    { ...right, history: [...history, told('sorry', 'ok', 'committed')] },
  ],
];

test('the right record has no violation, and is counted right', () => {
  const none = { transfers: 0, committed: 0, rolledBack: 0, unknown: 0 };
  const at = { transfers: 5, committed: 3, rolledBack: 2, unknown: 1 };
  const kinds = { tcc: none, saga: none, at };
  expect(check(right)).toEqual({ ...at, kinds, lockConflicts: 1, undone: 1, violations: [] });
});

test.each(tampered)('%s: caught by the rule about %s', (_what, rule, evidence) => {
  const { violations } = check(evidence);
  expect(violations.map((violation) => violation.rule)).toContain(rule);
});

test('transfers keep their promises: legs add up, routes touch the shards that they say', () => {
  const random = seededRandom(1);
  const drawn = Array.from({ length: 2_000 }, (_, n) => drawWalletTransfer(`t.${n}`, random));
  for (const one of drawn) {
    const legs = legsOf(one);
    expect(legs.reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
    const touched = new Set(legs.map(({ wallet }) => shardOf(wallet))).size;
    if (one.route !== 'vault') expect(touched).toBe(one.route === 'alone' ? 1 : 2);
    expect(one.vaultLegs.length).toBe(one.route === 'vault' ? 1 : 0);
    if (one.story === 'abandoned') expect(one.route).toBe('vault');
  }
  const share = (test: (one: WalletTransfer) => boolean) =>
    drawn.filter(test).length / drawn.length;
  expect(share(({ story }) => story === 'pay')).toBeGreaterThan(0.65);
  expect(share(({ story, route }) => story === 'regret' && route === 'vault')).toBeGreaterThan(
    0.04,
  );
  expect(share((one) => legsOf(one).length === 3)).toBeGreaterThan(0.1);
  const purses = (one: WalletTransfer) => legsOf(one).map(({ wallet }) => isPurse(wallet));
  expect(share((one) => purses(one).every(Boolean))).toBeGreaterThan(0.2);
  expect(share((one) => purses(one).includes(true))).toBeGreaterThan(0.5);
  expect(share((one) => one.route === 'alone' && purses(one).includes(true))).toBe(0);
});
