/**
 * A table for the terminal: columns as wide as their widest cell, no frames, so that it can be cut
 * and grepped.
 */
import { stripVTControlCharacters } from 'node:util';

const gap = '  ';

/** Lines of the table; cells may be coloured. The last column is not padded. Rows may be empty. */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const widths = head.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column] ?? '')].map(widthOf)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
      .join(gap)
      .trimEnd(),
  );
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

/** Text from elsewhere on one line, without control characters, cut with an ellipsis. */
export function oneLine(text: string, lengthMax: number): string {
  const clean = stripVTControlCharacters(text).replaceAll(/[\p{Cc}\s]+/gu, ' ');
  return clean.length <= lengthMax ? clean : `${clean.slice(0, lengthMax - 1)}…`;
}
