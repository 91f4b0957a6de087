/** Which values an insert stores exactly as they are given, and which parts make a statement. */
import { describe, expect, it } from 'vitest';
import type { TableFacts } from '../../../client-sdk/resource/facts.ts';
import { compose, keysMatch, refuseValues } from '../../../client-sdk/resource/mysql/compose.ts';
import { exactText, givenIn } from '../../../client-sdk/resource/mysql/given-values.ts';
import { pieceOf } from '../../../client-sdk/resource/mysql/pieces.ts';
import { tokensOf } from '../../../client-sdk/resource/mysql/tokens.ts';

const letters = 'varchar(3) character set utf8mb4 collate utf8mb4_general_ci';
const padded = 'char(3) character set latin1 collate latin1_swedish_ci';

describe('a value', () => {
  it.each([
    ['int(11)', 5, '5'],
    ['int(11)', '007', '7'],
    ['int(11)', 2 ** 31 - 1, '2147483647'],
    ['int(11) unsigned', 2 ** 32 - 1, '4294967295'],
    ['bigint(20) unsigned', 18446744073709551615n, '18446744073709551615'],
    ['bigint(20)', '-9223372036854775808', '-9223372036854775808'],
    ['decimal(5,2)', '123.45', '123.45'],
    ['decimal(5,2)', -7, '-7'],
    [letters, "a'é", '6127C3A9'],
    [letters, '日本語', 'E697A5E69CACE8AA9E'],
    [padded, 'é', 'E9'],
    ['binary(2)', Buffer.from([0, 255]), '00FF'],
    ['varbinary(2)', Buffer.from([0]), '00'],
    ['date', '2020-02-29', '2020-02-29'],
    ['datetime(3)', '2020-02-29 01:02:03.123', '2020-02-29 01:02:03.123'],
  ])('of type %s: %s is exact', (type, value, text) => {
    expect(exactText(type, value)).toBe(text);
  });

  it.each([
    ['int(11)', 1.5],
    ['int(11)', '1e1'],
    ['int(11)', ' 1'],
    ['int(11)', true],
    ['int(11)', 2 ** 31],
    ['tinyint(4)', -129],
    ['int(11) unsigned', -1],
    ['bigint(20)', 2 ** 53],
    ['bigint(20)', 9223372036854775808n],
    ['decimal(5,2)', '1.234'],
    ['decimal(5,2)', '1000'],
    ['decimal(5,2) unsigned', '-1'],
    [letters, 'abcd'],
    [letters, '\ud800'],
    [letters, 5],
    [padded, 'a '],
    [padded, '€'],
    ['binary(2)', Buffer.from([1])],
    ['varbinary(1)', Buffer.from([1, 2])],
    ['varbinary(5)', 'abc'],
    ['datetime', '2020-02-29 01:02:03.5'],
    ['date', new Date(0)],
    ['timestamp', '2020-01-01 00:00:00'],
    ["enum('a')", 'a'],
    ['double', 1],
    ['text character set utf8mb4 collate utf8mb4_bin', 'a'],
  ])('of type %s: %s is not', (type, value) => {
    expect(exactText(type, value)).toBe(null);
  });

  it.each([
    ['?', { kind: 'value', value: 'x' }],
    ["'it''s'", { kind: 'value', value: "it's" }],
    ['-5', { kind: 'value', value: '-5' }],
    ['null', { kind: 'null' }],
    ['default', { kind: 'default' }],
    ["x'41'", { kind: 'computed' }],
    ["_utf8mb4'a'", { kind: 'computed' }],
    ['1 + 1', { kind: 'computed' }],
    ['now()', { kind: 'computed' }],
    ['true', { kind: 'computed' }],
    ["'a' collate utf8mb4_bin", { kind: 'computed' }],
  ])('written %s', (text, given) => {
    expect(givenIn(pieceOf(tokensOf(text)), ['x'])).toEqual(given);
  });
});

describe('a statement put together', () => {
  it('takes each value where its part goes', () => {
    const [a, b] = [pieceOf(tokensOf('? ?').slice(1)), { text: 'k = ?', values: ['key'] }];
    expect(compose(['one', 'two'], ['x', a, null, b])).toEqual({
      text: 'x ? k = ?',
      values: ['two', 'key'],
    });
  });

  it('has few texts for many keys', () => {
    const facts: TableFacts = {
      ...{
        id: '`s`.`t`',
        hazards: [],
        isGuarded: false,
        refusal: null,
        key: [{ name: 'id', form: 'text' }],
      },
      columns: [{ name: 'id', type: 'int(11)', isGenerated: false, isAlwaysIdentity: false }],
    };
    const images = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `${i}` }));
    const texts = Array.from({ length: 64 }, (_, i) => keysMatch(facts, '`t`', images(i)).text);
    expect(new Set(texts).size).toBe(8);
    expect(keysMatch(facts, '`t`', images(3)).values).toEqual(['0', '1', '2', '2']);
  });

  it('refuses values that are more than one', () => {
    expect(() => refuseValues([1, null, 'a', new Date(0), Buffer.from('')], 5)).not.toThrow();
    const objects = { toSqlString: () => 'id' };
    for (const value of [[1], {}, objects, new Uint8Array(1), () => 1]) {
      expect(() => refuseValues([value], 1)).toThrow('a list or an object');
    }
    expect(() => refuseValues([1], 2)).toThrow('1 values for 2 question marks');
  });
});
