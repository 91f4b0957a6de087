/** What became of a row, as one line of JSON, as a line for people, and all of them together. Pure. */
import { type Finding, grouped, type Row, targetText, verdict } from './row.ts';

/** A row that has been run. */
export interface Outcome {
  readonly row: Row;
  /** Or why it could not be measured. */
  readonly found: Finding | { readonly error: string };
}

/** Whether the target is met; null: there is none, though all went well. */
export function holds({ row, found }: Outcome): boolean | null {
  if ('error' in found || found.failed > 0) return false;
  return verdict(row.limits, found.measured);
}

/** Whether the figures mean anything: it was measured, and every transaction ended as it should. */
export function isSound({ found }: Outcome): boolean {
  return !('error' in found) && found.failed === 0;
}

/** One line of JSON. `holds` and `target` are null where there is no target. */
export function jsonLine(outcome: Outcome): string {
  const { row, found } = outcome;
  const { name } = row;
  const target = targetText(row.limits);
  if ('error' in found) {
    return JSON.stringify({ name, target, measured: {}, holds: false, error: found.error });
  }
  const { measured, failed, firstError } = found;
  const trouble = failed > 0 ? { failed, firstError } : {};
  return JSON.stringify({ name, target, measured, holds: holds(outcome), ...trouble });
}

/** The last line: rows with a target, those that hold, and the names of the others. */
export function closingLine(outcomes: readonly Outcome[]): string {
  const judged = outcomes.filter((outcome) => holds(outcome) !== null);
  const failed = judged.filter((outcome) => holds(outcome) === false).map(({ row }) => row.name);
  return JSON.stringify({ rows: judged.length, hold: judged.length - failed.length, failed });
}

/** What a row has measured, in words. */
export function measuredText({ row, found }: Outcome): string {
  if ('error' in found) return `not measured: ${found.error}`;
  const figures = row.shown
    .map((figure) => [figure, found.measured[figure] ?? null] as const)
    .filter(([, value]) => value !== null || row.limits.length > 0)
    .map(([figure, value]) => `${figure} ${value === null ? 'none' : grouped(value)}`);
  const trouble = found.failed > 0 ? [`${found.failed} FAILED: ${found.firstError}`] : [];
  return [...figures, ...trouble].join(', ');
}

/** Yes, no, or nothing. */
export function verdictText(outcome: Outcome): string {
  const answer = holds(outcome);
  if (answer === null) return '';
  return answer ? 'yes' : '**no**';
}

/** The rows as a Markdown table, padded as the formatter of this repository pads them. */
export function markdownTable(outcomes: readonly Outcome[]): string {
  const cells = outcomes.map((outcome) => [
    `\`${outcome.row.name}\``,
    outcome.row.title,
    targetText(outcome.row.limits) ?? 'none',
    measuredText(outcome),
    verdictText(outcome),
  ]);
  const head = ['row', 'what', 'target', 'measured', 'holds'];
  const lines = [head, ...cells].map((parts) =>
    parts.map((part) => part.replaceAll('|', '\\|').replaceAll('\n', ' ')),
  );
  const widths = head.map((_, column) =>
    Math.max(...lines.map((parts) => (parts[column] ?? '').length)),
  );
  const padded = (parts: readonly string[], filler: string): string =>
    `| ${parts.map((part, column) => part.padEnd(widths[column] ?? 0, filler)).join(' | ')} |`;
  const [first = '', ...rest] = lines.map((parts) => padded(parts, ' '));
  return [
    first,
    padded(
      head.map(() => '---'),
      '-',
    ),
    ...rest,
  ].join('\n');
}
