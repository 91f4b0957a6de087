/**
 * Undo rows as text for people: one line a row, or the columns of a row side by side as they were
 * before, were left and are now. Values come from a database and are shown on one line, cut.
 */
import type {
  InspectedRow,
  ResolvedAnswer,
  ResolvedRow,
  RowState,
  ShownRow,
  UndoOfResource,
} from '../../client-sdk/protocol/index.ts';
import { oneLine, tableLines } from './table.ts';
import type { Paint, Terminal } from './terminal.ts';
import { participantText } from './transaction-text.ts';

const paintOfState = {
  clean: 'green',
  restored: 'green',
  dirty: 'red',
  locked: 'cyan',
} as const satisfies Record<RowState, Paint>;

/** `undo show` of one resource. */
export function resourceLines(resource: UndoOfResource, terminal: Terminal): readonly string[] {
  const { rows, error } = resource;
  if (error !== null) return [...headLines(resource, terminal), errorLine(resource, terminal)];
  return [
    ...headLines(resource, terminal),
    countsLine(resource),
    ...(rows.length === 0 ? [] : ['']),
    ...(rows.length === 0 ? [] : rowsTable(rows, terminal)),
  ];
}

/** `undo diff` of one resource: a table for each row. `isAll`: also of rows that are not dirty. */
export function diffLines(
  resource: UndoOfResource,
  isAll: boolean,
  terminal: Terminal,
): readonly string[] {
  if (resource.error !== null) {
    return [...headLines(resource, terminal), errorLine(resource, terminal)];
  }
  const rows = resource.rows.filter(({ state }) => isAll || state === 'dirty');
  if (rows.length === 0) {
    const all = isAll ? '' : ` ${resource.rowsTotal} rows are not: --all shows them.`;
    const none = `No row is ${isAll ? 'there' : 'dirty'}.${all}`;
    return [...headLines(resource, terminal), countsLine(resource), none];
  }
  const tables = rows.flatMap((row) => ['', ...rowDiff(row, terminal)]);
  return [...headLines(resource, terminal), countsLine(resource), ...tables];
}

/** `undo resolve`: each row as it was found and as it is now, or would be. */
export function resolvedLines(answer: ResolvedAnswer, terminal: Terminal): readonly string[] {
  const { rows, rowsTotal } = answer;
  const left = rowsTotal - rows.length;
  return [
    ...rows.flatMap((row, index) => [...(index === 0 ? [] : ['']), ...resolvedDiff(row, terminal)]),
    ...(left > 0 ? [`And ${left} more rows.`] : []),
  ];
}

function headLines(resource: UndoOfResource, terminal: Terminal): readonly string[] {
  const { participant, branchIds, isFinished } = resource;
  const branches = `${branchIds.length === 1 ? 'branch' : 'branches'} ${branchIds.join(', ')}`;
  const state = isFinished ? ', finished' : '';
  return [`${terminal.paint('bold', participantText(participant))} (${branches}${state})`];
}

/** With the digest of all rows, for `undo resolve --seen`. */
function countsLine({ rowsTotal, dirtyTotal, seen }: UndoOfResource): string {
  return `rows ${rowsTotal}, dirty ${dirtyTotal}, seen ${seen ?? '-'}`;
}

function errorLine({ error }: UndoOfResource, terminal: Terminal): string {
  return terminal.paint('red', `${error?.code}: ${oneLine(error?.detail ?? '', 200)}`);
}

function rowsTable(rows: readonly InspectedRow[], terminal: Terminal): readonly string[] {
  const head = ['TABLE', 'KEY', 'STATE', 'STEPS', 'DIFFERING', 'WHY'];
  return tableLines(
    head.map((title) => terminal.paint('dim', title)),
    rows.map(({ table, key, state, steps, differing, why }) => [
      oneLine(table, 64),
      oneLine(key, 48),
      terminal.paint(paintOfState[state], state),
      String(steps),
      oneLine(differing.join(' '), 48) || '-',
      why === null ? '' : oneLine(why, 100),
    ]),
  );
}

function rowDiff(row: InspectedRow, terminal: Terminal): readonly string[] {
  const { table, key, state, before, after, current, why, columnsLeftOut } = row;
  const title = `${oneLine(table, 64)} ${oneLine(key, 64)}`;
  const paint = paintOfState[state];
  const reason = why === null ? '' : `: ${oneLine(why, 200)}`;
  const columns = columnsOf(before, after, current).filter(
    (column) => new Set([before, after, current].map((image) => textOf(image, column))).size > 1,
  );
  const widest = cellWidth(terminal, columns, 3);
  const table3 = tableLines(
    ['COLUMN', 'BEFORE', 'AFTER', 'CURRENT'].map((name) => terminal.paint('dim', name)),
    columns.map((column) => {
      const [was, left, is] = [before, after, current].map((image) => textOf(image, column));
      const cell = (value = '') => oneLine(value, widest);
      return [
        oneLine(column, 32),
        cell(was),
        left === was ? cell(left) : terminal.paint('yellow', cell(left)),
        is === left ? cell(is) : terminal.paint('red', cell(is)),
      ];
    }),
  );
  return [
    `${terminal.paint('bold', title)} ${terminal.paint(paint, state)}${reason}`,
    ...(columns.length === 0 ? ['  all images are the same'] : table3.map((line) => `  ${line}`)),
    ...(columnsLeftOut === 0 ? [] : [`  and ${columnsLeftOut} columns that are not shown`]),
  ];
}

function resolvedDiff(row: ResolvedRow, terminal: Terminal): readonly string[] {
  const { table, key, choice, from, to, columnsLeftOut } = row;
  const title = `${oneLine(table, 64)} ${oneLine(key, 64)}`;
  const columns = columnsOf(from, to).filter(
    (column) => textOf(from, column) !== textOf(to, column),
  );
  const widest = cellWidth(terminal, columns, 2);
  const lines = tableLines(
    ['COLUMN', 'FROM', 'TO'].map((name) => terminal.paint('dim', name)),
    columns.map((column) => [
      oneLine(column, 32),
      oneLine(textOf(from, column), widest),
      terminal.paint('green', oneLine(textOf(to, column), widest)),
    ]),
  );
  return [
    `${terminal.paint('bold', title)} ${choice ?? 'undone'}`,
    ...(columns.length === 0 ? ['  stays as it is'] : lines.map((line) => `  ${line}`)),
    ...(columnsLeftOut === 0 ? [] : [`  and ${columnsLeftOut} columns that are not shown`]),
  ];
}

function columnsOf(...images: readonly (ShownRow | null)[]): readonly string[] {
  return [...new Set(images.flatMap((image) => Object.keys(image ?? {})))];
}

/** What differs must look different: no row, no column, NULL, and the text `null`. */
function textOf(image: ShownRow | null, column: string): string {
  if (image === null) return '(no row)';
  const value = image[column];
  if (value === undefined) return '(no column)';
  return value === null ? 'NULL' : /^(|NULL|\(no .*)$/.test(value) ? JSON.stringify(value) : value;
}

/** So that a line fits, but never so narrow that nothing is seen. */
function cellWidth(terminal: Terminal, columns: readonly string[], cells: number): number {
  const names = Math.max(6, ...columns.map((column) => Math.min(column.length, 32)));
  return Math.max(16, Math.floor((terminal.width() - 2 - names) / cells) - 2);
}
