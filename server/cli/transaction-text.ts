/** One global transaction as text for people: a header, then the tree of its branches or steps. */
import type {
  BranchView,
  EpochMs,
  Participant,
  Phase,
  TransactionView,
} from '../../client-sdk/protocol/index.ts';
import { oneLine, tableLines } from './table.ts';
import type { Paint, Terminal } from './terminal.ts';

const paintOfPhase = {
  active: 'cyan',
  committing: 'yellow',
  committed: 'green',
  rollingBack: 'yellow',
  rolledBack: 'red',
} as const satisfies Record<Phase, Paint>;

/** The phase in its colour. */
export function paintPhase(phase: Phase, terminal: Terminal): string {
  return terminal.paint(paintOfPhase[phase], phase);
}

/** `2026-11-21 09:30:00.123Z`, or a dash. */
export function timeText(atMs: EpochMs | null): string {
  return atMs === null ? '-' : new Date(atMs).toISOString().replace('T', ' ');
}

/** Header and table of `settle tx show`. `nowMs`: for "in 3.2 s". */
export function showLines(
  view: TransactionView,
  nowMs: EpochMs,
  terminal: Terminal,
): readonly string[] {
  const field = (name: string, value: string) =>
    `${terminal.paint('dim', name.padEnd(10))} ${value}`;
  const labels = Object.entries(view.labels).map(([key, value]) => `${key}=${oneLine(value, 60)}`);
  const { attention } = view;
  return [
    field('gid', terminal.paint('bold', view.gid)),
    field('mode', view.mode),
    field('name', view.name === '' ? '-' : oneLine(view.name, 128)),
    field('phase', paintPhase(view.phase, terminal)),
    field('cause', causeText(view)),
    field('started', timeText(view.startedAtMs)),
    field('deadline', timeText(view.deadlineAtMs)),
    field('decided', timeText(view.decidedAtMs)),
    field('finished', timeText(view.finishedAtMs)),
    ...(labels.length === 0 ? [] : [field('labels', labels.join(' '))]),
    ...(attention === null
      ? []
      : [
          field(
            'attention',
            terminal.paint('red', `${attention.reason}: ${oneLine(attention.detail, 200)}`),
          ),
        ]),
    '',
    ...branchLines(view, nowMs, terminal),
  ];
}

function causeText({ cause }: TransactionView): string {
  if (cause === null) return '-';
  const branch = cause.branchId === undefined ? '' : ` (branch ${cause.branchId})`;
  const detail = cause.detail === undefined ? '' : `: ${oneLine(cause.detail, 200)}`;
  return `${cause.kind}${branch}${detail}`;
}

/** The tree of branches or steps, one a line. */
function branchLines(view: TransactionView, nowMs: EpochMs, terminal: Terminal): readonly string[] {
  if (view.branches.length === 0) return ['No branches.'];
  const isSaga = view.mode === 'saga';
  const first = isSaga ? 'STEP' : 'BRANCH';
  const head = [first, 'KIND', 'PARTICIPANT', 'STATE', 'OWES', 'ATTEMPTS', 'NEXT', 'LAST ERROR'];
  const last = view.branches.length - 1;
  return tableLines(
    head.map((title) => terminal.paint('dim', title)),
    view.branches.map((branch, index) => [
      `${terminal.paint('dim', index === last ? '└─' : '├─')} ${branchName(branch)}`,
      branch.kind,
      oneLine(participantText(branch.participant), 60),
      stateText(branch, terminal),
      branch.operation ?? '-',
      // They are counted in memory, for as long as it is open: of an ended one nobody knows.
      view.finishedAtMs === null ? String(branch.attempts) : '–',
      nextText(branch.nextAttemptAtMs, nowMs),
      branch.lastError === null ? '-' : terminal.paint('red', oneLine(branch.lastError, 100)),
    ]),
  );
}

function branchName({ branchId, name }: BranchView): string {
  return name === null ? String(branchId) : `${branchId} ${name}`;
}

/** Service and method, or the address. */
export function participantText(participant: Participant): string {
  return 'url' in participant ? participant.url : `${participant.service}/${participant.method}`;
}

function stateText(branch: BranchView, terminal: Terminal): string {
  switch (branch.state) {
    case 'done':
    case 'confirmed':
    case 'committed':
      return terminal.paint('green', branch.state);
    case 'asked':
      return terminal.paint('yellow', branch.state);
    default:
      return branch.state;
  }
}

/** `in 3.2 s`, `in 12 min`, `now`, or a dash. */
export function nextText(atMs: EpochMs | null, nowMs: EpochMs): string {
  if (atMs === null) return '-';
  if (atMs <= nowMs) return 'now';
  const ms = atMs - nowMs;
  return `in ${ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : ageText(ms)}`;
}

/** How long ago, in the largest unit that fits: `45 s`, `12 min`, `3.5 h`, `2.1 d`. */
export function ageText(ms: number): string {
  if (ms < 120_000) return `${Math.max(0, Math.round(ms / 1_000))} s`;
  if (ms < 2 * 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${(ms / (24 * 3_600_000)).toFixed(1)} d`;
}
