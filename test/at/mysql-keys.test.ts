/**
 * Row keys of MySQL: two values meet in the same lock exactly when the unique key itself takes them
 * for one. Asked of the server, value by value, under the usual collations.
 */
import { describe, expect, it } from 'vitest';
import type { Session } from '../../client-sdk/resource/facts.ts';
import { imageExpression, imageOf } from '../../client-sdk/resource/mysql/image-columns.ts';
import { rowKey } from '../../client-sdk/resource/row-key.ts';
import { describeOn } from '../support/databases.ts';
import { factsOf, imagesOf, openDatabase } from './mysql-undo-world.ts';

const words = [
  ...['a', 'A', 'a ', 'a  ', ' a', 'ä', 'Ä', 'ä ', 'b', '', ' ', '  ', 'ss', 'ß', 'SS ', 'ae', 'æ'],
  ...[
    'a\t',
    'a\u0001',
    'a\u00a0',
    'a \u00a0',
    '\u00a0',
    'e\u0301',
    'é',
    'E\u0301 ',
    'I',
    'ı',
    'İ',
    'i',
  ],
  ...[
    '\u{1f600}',
    '\u{1f601}',
    '\u{1f600} ',
    'ﬁ',
    'fi',
    '´',
    '\u3000',
    'a\u3000',
    'Ω',
    'ω',
    'ー',
    'ア',
  ],
  ...['a-b', 'ab', 'a\u00adb', '2', '②', '²', 'ñ', 'n', 'ÿ', 'y', 'a~', 'a/'],
];
const latinWords = words.filter((word) => /^[\x20-\x7e\xa0-\xff\t]*$/.test(word));

const collations: Readonly<Record<string, readonly string[]>> = {
  ...every(['general_ci', 'bin', 'unicode_ci', 'unicode_520_ci', 'general_nopad_ci']),
  ...every(['nopad_bin', 'unicode_nopad_ci', 'unicode_520_nopad_ci', 'uca1400_ai_ci']),
  ...every(['uca1400_nopad_ai_ci', 'uca1400_nopad_as_cs', 'uca1400_nopad_as_ci', 'german2_ci']),
  ...every(['swedish_ci', 'turkish_ci', 'spanish2_ci', 'uca1400_swedish_ai_ci', 'danish_ci']),
  ...Object.fromEntries(
    ['swedish_ci', 'german1_ci', 'german2_ci', 'danish_ci', 'general_ci', 'general_cs', 'bin'].map(
      (name) => [`latin1_${name}`, latinWords],
    ),
  ),
  ascii_general_ci: words.filter((word) => /^[\x20-\x7e]*$/.test(word)),
  utf16_unicode_ci: words,
  ucs2_general_ci: words.filter((word) => !/[\u{10000}-\u{10ffff}]/u.test(word)),
};

function every(names: readonly string[]): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(names.map((name) => [`utf8mb4_${name}`, words]));
}

await describeOn('mysql', (server) => {
  describe('keys of letters', () => {
    it.each(['varchar(20)', 'char(20)'])(
      'are one exactly when the unique key says so: %s',
      async (type) => {
        const { session } = await openDatabase(server, []);
        const wrong: string[] = [];
        for (const [index, [collation, values]] of Object.entries(collations).entries()) {
          const charset = collation.split('_')[0] ?? '';
          const column = `${type} character set ${charset} collate ${collation}`;
          await session.query(`create table u${index} (k ${column} primary key)`);
          await session.query(`create table w${index} (id int primary key, k ${column})`);
          const rows = values.map((value, id) => `(${id}, ${literal(value)})`);
          await session.query(`insert into w${index} values ${rows.join(', ')}`);
          wrong.push(
            ...(await disagreements(session, index)).map((pair) => `${collation} ${pair}`),
          );
        }
        // Nothing but what MariaDB itself is of two minds about.
        expect(wrong.filter((pair) => !/_nopad_.* refused$/.test(pair))).toEqual([]);
        expect(wrong.length).toBe(type.startsWith('char') ? 6 : 0);
      },
    );
  });

  it('keys of other types are what is equal, and several columns stay apart', async () => {
    const { session } = await openDatabase(server, [
      `create table t (a decimal(9,3), b varbinary(9), c enum('x', 'y'), d datetime(3), e timestamp(2),
        f varchar(9) collate utf8mb4_general_ci, g bit(9), primary key (a, b, c, d, e, f, g))`,
    ]);
    const values = `(1.5, 'A ', 'Y', '2024-01-01', from_unixtime(1700000000.5), 'Ä,"', 5)`;
    await session.query(`insert into t values ${values}`);
    await expect(
      session.query(`insert into t values ${values.replace("'Ä", "'a")}`),
    ).rejects.toThrow('Duplicate');
    const facts = await factsOf(session, 't');
    expect([...(await imagesOf(session, facts, 'true')).keys()]).toEqual([
      '["1.500","4120","2:79","2024-01-01 00:00:00.000","1700000000.50","0041002C0022","5"]',
    ]);
  });

  it('refuses a key that is too long for a lock', async () => {
    const { session } = await openDatabase(server, [
      'create table t (k varchar(300) character set latin1 primary key)',
    ]);
    await session.query(`insert into t values (repeat('x', 260))`);
    const facts = await factsOf(session, 't');
    await expect(imagesOf(session, facts, 'true')).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });
});

/** Pairs of values of which the row keys and the server say different things. */
async function disagreements(session: Session, index: number): Promise<readonly string[]> {
  const facts = await factsOf(session, `u${index}`);
  if (facts.refusal !== null) return ['refused'];
  const { rows } = await session.query(
    `select id, ${imageExpression(facts, 'w')} as image from w${index} w order by id`,
  );
  const keys = rows.map((row) => rowKey(facts, imageOf(facts, String(row['image']))));
  const equal = await session.query(
    `select one.id as one, other.id as other from w${index} one join w${index} other
      on one.k = other.k`,
  );
  const same = new Set(equal.rows.map((row) => `${row['one']} ${row['other']}`));
  // The unique key has as many values as there are row keys.
  const { count } = await session.query(`insert ignore into u${index} select k from w${index}`);
  expect(new Set(keys).size).toBe(count);
  return keys.flatMap((one, i) =>
    keys.flatMap((other, k) => ((one === other) === same.has(`${i} ${k}`) ? [] : `${i} ${k}`)),
  );
}

function literal(value: string): string {
  return `_utf8mb4 x'${Buffer.from(value).toString('hex')}'`;
}
