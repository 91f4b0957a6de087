/** What operators are shown of rows: texts as people read them, cut where an answer would be too large. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../../client-sdk/protocol/index.ts';
import { readable } from '../../../client-sdk/resource/mysql/readable.ts';
import { fitting, pageOf, shortened, shownImages } from '../../../client-sdk/resource/shown.ts';

const column = (name: string, type = 'text') => ({
  name,
  type,
  isGenerated: false,
  isAlwaysIdentity: false,
});
const whole = { lengthMax: 10, names: null };
const asIs = (_: string, text: string): string => text;
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe('images', () => {
  it('are shown without weights, with long texts cut, and say so', () => {
    const one = { id: '1', text: 'x'.repeat(11), note: null, 'weight of text ': '00' };
    const other = { ...one, text: 'short' };
    const columns = ['id', 'text', 'note'].map((name) => column(name));
    expect(shownImages([one, null, other], columns, whole, asIs)).toEqual({
      images: [
        { id: '1', text: `${'x'.repeat(10)}…`, note: null },
        null,
        { id: '1', text: 'short', note: null },
      ],
      cut: ['text'],
      columnsLeftOut: 0,
    });
  });

  it('are cut between letters', () => {
    expect(shortened('ab😀cd', 3).isWellFormed()).toBe(true);
  });

  it('of a row that is too long or too wide fit into an answer all the same', () => {
    for (const [columnCount, length] of [
      [1, 1_000_000],
      [200, 10_000],
      [1_600, 3],
    ] as const) {
      const names = Array.from({ length: columnCount }, (_, at) => `${at}`.padStart(63, 'c'));
      const image = Object.fromEntries(names.map((name) => [name, '€'.repeat(length)]));
      const columns = names.map((name) => column(name));
      const row = fitting(names, (detail) => {
        return shownImages([image, image, image], columns, detail, asIs);
      });
      expect(bytesOf(row)).toBeLessThan(limits.payloadBytesMax - 4_096);
      expect(row.cut.length + row.columnsLeftOut).toBeGreaterThan(0);
    }
  });
});

describe('a page', () => {
  it('holds what fits, and one row at least', () => {
    const rows = Array.from({ length: 100 }, (_, at) => `${at}`.repeat(1_000));
    expect(pageOf(rows, 5_000, (row) => row)).toHaveLength(4);
    expect(pageOf(rows, 1, (row) => row)).toHaveLength(1);
    expect(pageOf([], 1, (row) => row)).toEqual([]);
    const page = pageOf(rows, Number.POSITIVE_INFINITY, (row) => row);
    expect(bytesOf(page)).toBeLessThan(limits.payloadBytesMax);
  });
});

describe('texts of MySQL', () => {
  const utf8 = 'character set utf8mb4 collate utf8mb4_general_ci';
  it.each([
    [`varchar(40) ${utf8}`, 'C384E282AC', 'Ä€'],
    ['char(3) character set latin1 collate latin1_swedish_ci', 'C480', 'Ä€'],
    ['text character set ucs2 collate ucs2_general_ci', '00C420AC', 'Ä€'],
    ['text character set utf32 collate utf32_general_ci', '000000C4', '\\x000000c4'],
    [`varchar(40) ${utf8}`, 'FF', '\\xff'],
    [`varchar(40) ${utf8}`, '', ''],
    ['blob', '00FF', '\\x00ff'],
    ['json', '7B7D', '{}'],
    [`enum('Ä','b') ${utf8}`, '1:C384', 'Ä'],
    ['timestamp(3)', '1700000000.500', '2023-11-14 22:13:20.500+00'],
    ['timestamp', '0', '0000-00-00 00:00:00'],
    ['bigint(20)', '-7', '-7'],
    ['datetime(6)', '2023-01-01 00:00:00.000001', '2023-01-01 00:00:00.000001'],
    ['nothing known', '17', '17'],
  ])('of type %s: %s is %s', (type, text, shown) => {
    expect(readable(type, text)).toBe(shown);
  });
});
