/** Row keys: one text for one key, in any spelling, and never one text for two. */
import { describe, expect, it } from 'vitest';
import type { KeyColumn } from '../../client-sdk/resource/facts.ts';
import { rowKey } from '../../client-sdk/resource/row-key.ts';

const facts = (...forms: readonly KeyColumn['form'][]) => ({
  id: 'shop.orders',
  key: forms.map((form, index) => ({ name: `k${index}`, form })),
});
const image = (...values: readonly (string | null)[]) =>
  Object.fromEntries(values.map((value, index) => [`k${index}`, value]));

describe('row keys', () => {
  it.each([
    ['a","b', 'c'],
    ['a', 'b","c'],
    ['a,b', 'c'],
    ['a\\', '"b'],
    ['', ' '],
    [' ', ''],
  ])('keep apart what separators would join: %j %j', (one, other) => {
    expect(JSON.parse(rowKey(facts('text', 'text'), image(one, other)))).toEqual([one, other]);
  });

  it.each([
    ['1', '1'],
    ['1.0', '1'],
    ['1.500', '1.5'],
    ['0.00', '0'],
    ['100', '100'],
    ['-10.010', '-10.01'],
    ['NaN', 'NaN'],
    ['Infinity', 'Infinity'],
  ])('write the number %s as %s', (text, canonical) => {
    expect(rowKey(facts('number'), image(text))).toBe(JSON.stringify([canonical]));
  });

  it('compare ASCII without case, and refuse what only the database can compare', () => {
    expect(rowKey(facts('lower'), image('a@B.C'))).toBe('["a@b.c"]');
    const refused = expect.objectContaining({ code: 'AT_UNSUPPORTED_SQL' });
    expect(() => rowKey(facts('lower'), image('É'))).toThrow(refused);
  });

  it('take 512 bytes of UTF-8 and no more', () => {
    expect(rowKey(facts('text'), image('é'.repeat(254)))).toHaveLength(258);
    expect(() => rowKey(facts('text'), image(`${'é'.repeat(254)}a`))).toThrow(
      expect.objectContaining({
        code: 'LIMIT_EXCEEDED',
        detail: 'a key of shop.orders takes 513 bytes, at most 512',
      }),
    );
  });

  it('are of images with the whole key', () => {
    expect(() => rowKey(facts('text'), image(null))).toThrow('no k0');
    expect(() => rowKey(facts('text'), {})).toThrow('no k0');
    expect(() => rowKey(facts(), {})).toThrow('has no key');
  });
});
