/**
 * What happened to a transaction and why it is where it is, as text for people: the timeline, a line
 * for each record, and the explanation. Texts come from the server; here they are laid out.
 */
import type { Explanation, TimelineEntry } from '../../client-sdk/protocol/index.ts';
import { oneLine, tableLines } from './table.ts';
import type { Paint, Terminal } from './terminal.ts';
import { paintPhase, timeText } from './transaction-text.ts';

const textLengthMax = 200;

/** The whole timeline; times count from its first entry. */
export function timelineLines(
  entries: readonly TimelineEntry[],
  terminal: Terminal,
): readonly string[] {
  const startMs = entries[0]?.atMs ?? 0;
  const head = ['TIME', 'AFTER', 'KIND', 'BRANCH', 'WHAT HAPPENED'];
  return tableLines(
    head.map((title) => terminal.paint('dim', title)),
    entries.map((entry) => [
      timeText(entry.atMs).slice('2026-11-21 '.length),
      afterText(entry.atMs - startMs).padStart(9),
      paintKind(entry.kind, terminal),
      entry.branchId === null ? '' : String(entry.branchId),
      whatText(entry),
    ]),
  );
}

/** One entry by itself, as `tx tail` prints it when it comes. */
export function timelineLine(entry: TimelineEntry, terminal: Terminal): string {
  const kind = paintKind(entry.kind.padEnd(10), terminal, entry.kind);
  const branch = (entry.branchId === null ? '' : String(entry.branchId)).padEnd(3);
  return `${timeText(entry.atMs)}  ${kind}  ${branch}  ${whatText(entry)}`;
}

/** `tx explain`. When something comes next is in its words already. */
export function explanationLines(
  { gid, phase, why, next, remedies }: Explanation,
  terminal: Terminal,
): readonly string[] {
  const title = (text: string) => terminal.paint('bold', text);
  return [
    `${terminal.paint('bold', gid)} is ${paintPhase(phase, terminal)}`,
    '',
    title('Why'),
    `  ${plain(why)}`,
    title('What Settle does next'),
    `  ${plain(next)}`,
    title('What you can do'),
    ...(remedies.length === 0 ? ['  Nothing is needed.'] : []),
    ...remedies.flatMap(({ text, command }) => [
      `  ${plain(text)}`,
      ...(command === null ? [] : [terminal.paint('cyan', `    ${plain(command)}`)]),
    ]),
  ];
}

/** Sentences of the server may quote what participants said. */
function plain(text: string): string {
  return oneLine(text, 2_000);
}

function whatText({ text, operator }: TimelineEntry): string {
  const said = operator === null ? '' : ` — ${operator.who}: ${operator.reason}`;
  return oneLine(`${text}${said}`, textLengthMax);
}

function afterText(ms: number): string {
  if (ms < 60_000) return `+${(ms / 1_000).toFixed(3)} s`;
  if (ms < 3_600_000) return `+${(ms / 60_000).toFixed(1)} min`;
  return `+${(ms / 3_600_000).toFixed(1)} h`;
}

const paintOfKind: Readonly<Record<string, Paint>> = {
  attempted: 'yellow',
  attention: 'red',
  decided: 'bold',
};

function paintKind(text: string, terminal: Terminal, kind = text): string {
  const paint = paintOfKind[kind];
  const clean = oneLine(text, 24).padEnd(text.length);
  return paint === undefined ? clean : terminal.paint(paint, clean);
}
