/**
 * The timeline as a picture: a line for each branch from its registration to its end, a mark for each
 * record about it, the attempts of the operation that it owes, and the decision through all of them.
 * Plain SVG in rows of one height, so that 256 branches are a list that scrolls, not a wait.
 */
import type { TimelineEntry } from '../../../client-sdk/protocol/desk.ts';
import type { BranchView, TransactionView } from '../../../client-sdk/protocol/requests.ts';
import { clock, participantText, span } from '../wording.ts';
import { toneOf } from './branch-table.tsx';

const rowHeight = 22;
const width = 1_000;

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** Branches over time. Without entries it draws what the view itself knows. */
export function Gantt(props: {
  readonly tx: TransactionView;
  readonly entries: readonly TimelineEntry[];
}) {
  const { tx, entries } = props;
  const whole = wholeOf(tx, entries);
  const x = (atMs: number) =>
    Math.min(width, Math.max(0, ((atMs - whole.startMs) / (whole.endMs - whole.startMs)) * width));
  const byBranch = Map.groupBy(entries, ({ branchId }) => branchId);
  const height = tx.branches.length * rowHeight;
  const marks = entries.filter(({ branchId, kind }) => branchId === null && kind !== 'begun');
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class="gantt" tabIndex={0} aria-label="Branches over time">
      <div class="ruler" aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <span key={part}>+{span(part * (whole.endMs - whole.startMs))}</span>
        ))}
      </div>
      <ol>
        {tx.branches.map((branch) => (
          <li key={branch.branchId}>
            <a href={`#branch-${branch.branchId}`} target="_self">
              <span class="number">{branch.branchId}</span>
              {branch.name ?? participantText(branch.participant)}
              {branch.attempts > 1 ? <b class="warn-text"> ×{branch.attempts}</b> : null}
            </a>
          </li>
        ))}
      </ol>
      <svg
        viewBox={`0 0 ${width} ${Math.max(rowHeight, height)}`}
        height={Math.max(rowHeight, height)}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${tx.branches.length} branches in ${span(whole.endMs - whole.startMs)}`}
      >
        {tx.branches.map((branch, at) => (
          <Line
            key={branch.branchId}
            branch={branch}
            entries={byBranch.get(branch.branchId) ?? []}
            place={{ y: at * rowHeight, x, whole }}
          />
        ))}
        {marks.map((entry) => (
          <line
            key={entry.seq + entry.kind}
            class={`mark ${entry.kind}`}
            x1={x(entry.atMs)}
            x2={x(entry.atMs)}
            y1={0}
            y2={height}
          >
            <title>{`${clock(entry.atMs, true)} ${entry.text}`}</title>
          </line>
        ))}
      </svg>
    </section>
  );
}

interface Placing {
  readonly y: number;
  readonly x: (atMs: number) => number;
  readonly whole: Span;
}

function Line(props: {
  readonly branch: BranchView;
  readonly entries: readonly TimelineEntry[];
  readonly place: Placing;
}) {
  const { branch, entries, place } = props;
  const { y, x, whole } = place;
  const startMs = entries[0]?.atMs ?? whole.startMs;
  const isOver = branch.operation === null && branch.state !== 'registered';
  const nowMs = Math.min(whole.endMs, Date.now());
  const endMs = isOver ? (entries.at(-1)?.atMs ?? nowMs) : nowMs;
  const name = participantText(branch.participant);
  return (
    <g class={`line ${toneOf(branch)}`}>
      <rect x={x(startMs)} y={y + 6} width={Math.max(4, x(endMs) - x(startMs))} height={10} rx={3}>
        <title>{`${branch.branchId} ${name}: ${branch.state}${attemptsText(branch)}`}</title>
      </rect>
      {entries.map((entry) => (
        <rect
          key={entry.seq + entry.kind}
          class={`event ${entry.kind}`}
          x={x(entry.atMs) - 2}
          y={y + 3}
          width={4}
          height={16}
        >
          <title>{`${clock(entry.atMs, true)} ${entry.text}`}</title>
        </rect>
      ))}
      {branch.nextAttemptAtMs === null ? null : (
        <rect class="event next" x={x(branch.nextAttemptAtMs) - 2} y={y + 3} width={3} height={16}>
          <title>{`attempt ${branch.attempts + 1} at ${clock(branch.nextAttemptAtMs, true)}`}</title>
        </rect>
      )}
    </g>
  );
}

function attemptsText({ attempts, lastError }: BranchView): string {
  if (attempts === 0) return '';
  return `, asked ${attempts} times${lastError === null ? '' : `, last: ${lastError}`}`;
}

/** From the first to the last thing that is known; an open one goes on until now. */
function wholeOf(tx: TransactionView, entries: readonly TimelineEntry[]): Span {
  const startMs = Math.min(tx.startedAtMs, entries[0]?.atMs ?? tx.startedAtMs);
  const next = tx.branches.map(({ nextAttemptAtMs }) => nextAttemptAtMs ?? 0);
  const last = Math.max(startMs, entries.at(-1)?.atMs ?? 0, ...next);
  const endMs = tx.finishedAtMs ?? Math.max(last, Date.now());
  return { startMs, endMs: Math.max(endMs, startMs + 1) };
}
