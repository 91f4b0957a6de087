/** The demo's workload: the same transfer behind the same gid, whoever asks, and every story told. */
import { describe, expect, test } from 'vitest';
import { isGid } from '../../client-sdk/protocol/index.ts';
import { planKills } from '../../server/demo/nemesis.ts';
import {
  accountsOf,
  bankOf,
  banks,
  isDoomed,
  type Run,
  shardCount,
  shardOf,
  shardsOf,
  tellers,
  transferOf,
} from '../../server/demo/workload.ts';
import { seededRandom } from '../../server/runtime/random.ts';

const run: Run = { tag: 'test', seed: 7, transfers: 1_000 };
const transfers = Array.from({ length: run.transfers }, (_, index) => transferOf(run, index));
const accounts = new Map(
  Array.from({ length: shardCount }, (_, shard) => accountsOf(shard))
    .flat()
    .map((account) => [account.account, account]),
);

describe('transfers', () => {
  test('depend on seed and index alone', () => {
    expect(transferOf({ ...run, transfers: 5 }, 123)).toEqual(transfers[123]);
    expect(transferOf({ ...run, seed: 8 }, 123)).not.toEqual(transfers[123]);
  });

  test('have gids that are different, in order, and inside the grammar', () => {
    const gids = transfers.map(({ gid }) => gid);
    expect(new Set(gids).size).toBe(run.transfers);
    expect(gids.toSorted()).toEqual(gids);
    expect(gids.filter((gid) => !isGid(gid))).toEqual([]);
  });

  test('are six tenths transactions, the rest sagas over three services', () => {
    const sagas = transfers.filter(({ mode }) => mode === 'saga');
    expect(sagas.length).toBeGreaterThan(350);
    expect(sagas.length).toBeLessThan(450);
    for (const { from, fees, to } of sagas) {
      expect(new Set([from, fees, to].map((name) => bankOf(shardOf(name)))).size).toBe(3);
    }
  });

  test.each([1, 2, 3, 50, 12_345])('tell every story within 50, with seed %i', (seed) => {
    const stories = Array.from({ length: 50 }, (_, index) => transferOf({ ...run, seed }, index));
    expect(new Set(stories.map(({ story }) => story))).toEqual(
      new Set(['plain', 'poor', 'closed', 'abandoned']),
    );
    expect(stories.filter(isDoomed)).toHaveLength(8);
  });

  test('name accounts that exist; only the closed story pays into a closed one', () => {
    for (const { from, to, fees, mode, story } of transfers) {
      expect(accounts.get(from)?.isClosed).toBe(false);
      expect(accounts.get(to)?.isClosed).toBe(story === 'closed');
      expect(accounts.has(fees)).toBe(mode === 'saga');
      expect(from).not.toBe(to);
    }
  });
});

test('each shard belongs to one bank', () => {
  expect(banks.flatMap(shardsOf)).toEqual([0, 1, 2, 3, 4, 5]);
  for (const bank of banks) {
    for (const shard of shardsOf(bank)) expect(bankOf(shard)).toBe(bank);
  }
});

describe('kills', () => {
  test.each([20, 300, 1_000, 20_000])(
    'of %i transfers: each kind, with work in flight',
    (count) => {
      const kills = planKills(count, seededRandom(1));
      expect(kills.length).toBeGreaterThanOrEqual(6);
      const targets = new Set(kills.map(({ target }) => target));
      expect(targets).toEqual(new Set(['coordinator', ...banks, ...tellers]));
      for (const { atAnswered, released } of kills) {
        expect(atAnswered).toBeLessThan(released);
        expect(released).toBeLessThanOrEqual(count);
      }
    },
  );
});
