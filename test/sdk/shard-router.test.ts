/** Keys find their node, the same one everywhere. */
import { describe, expect, test } from 'vitest';
import { shardIndex, shardRouter } from '../../client-sdk/index.ts';

describe('shardIndex', () => {
  test('is FNV-1a of the UTF-8 text, as other languages compute it', () => {
    // Test vectors of the authors of FNV: "" 811c9dc5, "a" e40c292c, "foobar" bf9cf968.
    const count = 1_000_003;
    expect(shardIndex('', count)).toBe(0x811c9dc5 % count);
    expect(shardIndex('a', count)).toBe(0xe40c292c % count);
    expect(shardIndex('foobar', count)).toBe(0xbf9cf968 % count);
  });

  test('spreads account names evenly over four shards', () => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 4_000; i += 1) {
      const at = shardIndex(`account-${i}`, 4);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(120);
  });
});

describe('shardRouter', () => {
  test('finds the same node for a key, whatever its type', () => {
    const router = shardRouter<string, { readonly id: number }>({
      nodes: ['a', 'b', 'c'],
      key: ({ id }) => `account-${id}`,
    });
    expect(router.of({ id: 7 })).toBe(router.of({ id: 7 }));
    expect(router.of({ id: 7 })).toBe(['a', 'b', 'c'][shardIndex('account-7', 3)]);
  });

  test('asks every node, and answers in their order', async () => {
    const router = shardRouter({ nodes: [3, 1, 2] });
    expect(await router.scatter(async (node, index) => `${index}:${node}`)).toEqual([
      '0:3',
      '1:1',
      '2:2',
    ]);
    await expect(router.scatter(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
  });

  test('says what is wrong with its settings', () => {
    expect(() => shardRouter({ nodes: [] })).toThrow(/INVALID_CONFIG/);
    const router = shardRouter({ nodes: ['a'], index: () => 1 });
    expect(() => router.of('x')).toThrow(/there is no node 1/);
  });
});
