/**
 * The timeline as a picture: a line for each branch from its registration to its end, pale until the
 * decision; a mark for each attempt that is on the record, each call for a human, and what is due
 * next. Plain SVG in rows of one height, so that 256 branches are a list that scrolls, not a wait.
 */
import { useMemo } from 'preact/hooks';
import type { TimelineEntry } from '../../../client-sdk/protocol/desk.ts';
import type { BranchView, TransactionView } from '../../../client-sdk/protocol/requests.ts';
import { useNow } from '../live.ts';
import { clock, isFinished, participantText, span } from '../wording.ts';
import { toneOf } from './branch-table.tsx';
import { type BranchTimes, ticksOf, timesOf, type Whole, wholeOf } from './gantt-times.ts';

const rowHeight = 22;

/** What the colours and marks mean. */
export function Legend() {
  return (
    <ul class="legend" aria-hidden="true">
      <li class="before">undecided</li>
      <li class="decided">decided</li>
      <li class="attempted">failed attempt</li>
      <li class="attention">human asked for</li>
      <li class="next">next attempt</li>
    </ul>
  );
}

/** Branches over time. Without entries it draws what the view itself knows. */
export function Gantt(props: {
  readonly tx: TransactionView;
  readonly entries: readonly TimelineEntry[];
}) {
  const { tx, entries } = props;
  const isOpen = !isFinished(tx.phase);
  const atMs = stepped(tx.startedAtMs, useNow(isOpen));
  const nowMs = isOpen ? atMs : 0;
  return useMemo(() => <Picture tx={tx} entries={entries} nowMs={nowMs} />, [tx, entries, nowMs]);
}

const stepsMax = 512;

/** 256 lines are drawn anew only when `now` has moved by something that can be seen. */
function stepped(startMs: number, nowMs: number): number {
  const stepMs = Math.max(1_000, 2 ** Math.floor(Math.log2((nowMs - startMs) / stepsMax)));
  return startMs + Math.floor((nowMs - startMs) / stepMs) * stepMs;
}

function Picture(props: {
  readonly tx: TransactionView;
  readonly entries: readonly TimelineEntry[];
  readonly nowMs: number;
}) {
  const { tx, entries, nowMs } = props;
  const whole = wholeOf(tx, entries, nowMs);
  const height = Math.max(1, tx.branches.length) * rowHeight;
  const place = { nowMs, tx, x: placeIn(whole) };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class="gantt" tabIndex={0} aria-label="Branches over time">
      <Ruler whole={whole} nowMs={isFinished(tx.phase) ? null : nowMs} />
      <ol>
        {tx.branches.map((branch) => (
          <Name key={branch.branchId} branch={branch} />
        ))}
      </ol>
      <svg
        height={height}
        role="img"
        aria-label={`${tx.branches.length} branches in ${span(whole.endMs - whole.startMs)}`}
      >
        {ticksOf(whole).map((ms) => (
          <Upright key={ms} class="tick" x={place.x(whole.startMs + ms)} />
        ))}
        {timesOf(tx, entries).map((times, at) => (
          <Line key={times.branch.branchId} times={times} place={{ ...place, y: at * rowHeight }} />
        ))}
        {tx.decidedAtMs === null ? null : (
          <Upright
            class="decided"
            x={place.x(tx.decidedAtMs)}
            title={`${clock(tx.decidedAtMs, true)} decided`}
          />
        )}
        {isFinished(tx.phase) ? null : <Upright class="now" x={place.x(nowMs)} />}
      </svg>
    </section>
  );
}

/** Where a moment stands, in percent. */
function placeIn({ startMs, endMs }: Whole): (atMs: number) => number {
  return (atMs) => Math.min(100, Math.max(0, (100 * (atMs - startMs)) / (endMs - startMs)));
}

function Upright(props: { readonly class: string; readonly x: number; readonly title?: string }) {
  return (
    <line class={`upright ${props.class}`} x1={`${props.x}%`} x2={`${props.x}%`} y1={0} y2="100%">
      {props.title === undefined ? null : <title>{props.title}</title>}
    </line>
  );
}

function Ruler({ whole, nowMs }: { readonly whole: Whole; readonly nowMs: number | null }) {
  const x = placeIn(whole);
  const nowAt = nowMs === null ? null : x(nowMs);
  const isFree = (at: number) => nowAt === null || Math.abs(at - nowAt) > 5;
  return (
    <svg class="ruler" height={rowHeight} aria-hidden="true">
      {ticksOf(whole)
        .map((ms) => ({ ms, at: x(whole.startMs + ms) }))
        .filter(({ at }) => isFree(at))
        .map(({ ms, at }) => (
          <text key={ms} x={`${at}%`} y={14} text-anchor={anchorOf(at)}>
            {ms === 0 ? '0' : `+${span(ms)}`}
          </text>
        ))}
      {nowAt === null ? null : (
        <text class="now" x={`${nowAt}%`} y={14} text-anchor={anchorOf(nowAt)}>
          now
        </text>
      )}
    </svg>
  );
}

/** Texts at the ends stay inside. */
function anchorOf(at: number): 'start' | 'middle' | 'end' {
  if (at < 3) return 'start';
  return at > 95 ? 'end' : 'middle';
}

function Name({ branch }: { branch: BranchView }) {
  const text = branch.name ?? participantText(branch.participant);
  return (
    <li>
      <a href={`#branch-${branch.branchId}`} target="_self" title={text}>
        <span class="number">{branch.branchId}</span>
        {text}
        {branch.attempts > 1 ? <b class="warn-text"> ×{branch.attempts}</b> : null}
      </a>
    </li>
  );
}

interface Placing {
  readonly tx: TransactionView;
  readonly nowMs: number;
  readonly y: number;
  readonly x: (atMs: number) => number;
}

function Line({ times, place }: { readonly times: BranchTimes; readonly place: Placing }) {
  const { branch, startMs, marks } = times;
  const { tx, x, y, nowMs } = place;
  const endMs = times.endMs ?? Math.max(startMs, nowMs);
  const isDecidedOf = tx.mode === 'transaction' && tx.decidedAtMs !== null;
  const borderMs = Math.max(startMs, isDecidedOf ? (tx.decidedAtMs ?? startMs) : startMs);
  const isPale = tx.mode === 'transaction' && tx.decidedAtMs === null;
  const { nextAttemptAtMs } = branch;
  return (
    <g class={`line ${toneOf(branch)}`}>
      <title>{titleOf(branch)}</title>
      {borderMs > startMs || isPale ? (
        <Bar class="before" y={y} from={x(startMs)} to={x(isPale ? endMs : borderMs)} />
      ) : null}
      {isPale ? null : <Bar class="after" y={y} from={x(borderMs)} to={x(endMs)} />}
      {marks.map((entry) => (
        <Mark key={`${entry.seq} ${entry.kind}`} class={entry.kind} x={x(entry.atMs)} y={y}>
          {`${clock(entry.atMs, true)} ${entry.text}`}
        </Mark>
      ))}
      {nextAttemptAtMs === null || x(nextAttemptAtMs) >= 100 ? null : (
        <Mark class="next" x={x(nextAttemptAtMs)} y={y}>
          {`attempt ${branch.attempts + 1} at ${clock(nextAttemptAtMs, true)}`}
        </Mark>
      )}
    </g>
  );
}

/** At least so wide that it can be seen: the line around it is 2 px. */
function Bar(props: { readonly class: string; y: number; from: number; to: number }) {
  const { y, from, to } = props;
  const width = Math.max(0.2, to - from);
  return (
    <rect class={props.class} x={`${from}%`} y={y + 6} width={`${width}%`} height={10} rx={2} />
  );
}

function Mark(props: { readonly class: string; x: number; y: number; readonly children: string }) {
  return (
    <rect class={`event ${props.class}`} x={`${props.x}%`} y={props.y + 4} width={3} height={14}>
      <title>{props.children}</title>
    </rect>
  );
}

function titleOf({ branchId, participant, state, attempts, lastError }: BranchView): string {
  const asked = attempts === 0 ? '' : `, asked ${attempts} times`;
  const error = lastError === null ? '' : `, last: ${lastError}`;
  return `${branchId} ${participantText(participant)}: ${state}${asked}${error}`;
}
