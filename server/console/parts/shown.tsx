/** Small pieces that every screen shows: badges, times, links to a transaction, refusals, emptiness. */
import type { ComponentChildren } from 'preact';
import type { Phase } from '../../../client-sdk/protocol/words.ts';
import type { Refused } from '../ask.ts';
import { useNow } from '../live.ts';
import { href } from '../route.ts';
import { clock, fullTime, phaseWords, roughSpan, shortClock, span } from '../wording.ts';

/** The colour is never alone: the word is always there. */
export type Tone = 'plain' | 'good' | 'busy' | 'warn' | 'bad';

const tones: Readonly<Record<Phase, Tone>> = {
  active: 'plain',
  committing: 'busy',
  committed: 'good',
  rollingBack: 'warn',
  rolledBack: 'plain',
};

/** A word in a coloured frame. */
export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** Where a transaction is. */
export function PhaseBadge({ phase }: { phase: Phase }) {
  return <Badge tone={tones[phase]}>{phaseWords[phase]}</Badge>;
}

/** A time of day; the whole of it stands in the tooltip. `isShort`: where there is little room. */
export function Time(props: {
  readonly atMs: number | null;
  readonly withMs?: boolean;
  readonly isShort?: boolean;
}) {
  const { atMs, withMs = false, isShort = false } = props;
  if (atMs === null) return <span class="faint">–</span>;
  return (
    <time class="mono" dateTime={new Date(atMs).toISOString()} title={fullTime(atMs)}>
      {isShort ? shortClock(atMs) : clock(atMs, withMs)}
    </time>
  );
}

/** How long something took; of what is not over (`toMs` null) for how long it has been so, roughly. */
export function Age({ fromMs, toMs }: { fromMs: number; toMs: number | null }) {
  const nowMs = useNow(toMs === null);
  const text = toMs === null ? roughSpan(nowMs - fromMs) : span(toMs - fromMs);
  return <span class="mono">{text}</span>;
}

/** A link to a transaction. */
export function GidLink({ gid }: { gid: string }) {
  return (
    <a class="mono" href={href(['transactions', gid])}>
      {gid}
    </a>
  );
}

/** Why something is not there. */
export function Refusal({ refused, what }: { refused: Refused; what: string }) {
  const isMissing = refused.code === 'NOT_OFFERED';
  return (
    <div class={`notice ${isMissing ? '' : 'bad'}`} role={isMissing ? 'note' : 'alert'}>
      <strong>{what}: </strong>
      {refused.detail} <span class="faint">{refused.remedy}</span>
      {isMissing ? null : <span class="code">{refused.code}</span>}
    </div>
  );
}

/** What stands there until the first answer has come. */
export function Loading() {
  return (
    <p class="empty" aria-busy="true">
      Asking …
    </p>
  );
}

/** What stands where a list has nothing. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** The id of a panel's heading, for a link to it. */
export function panelId(title: string): string {
  return `panel-${title.toLowerCase().replaceAll(/\W+/g, '-')}`;
}

/** A part of a screen with its heading. */
export function Panel(props: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly class?: string;
  readonly children: ComponentChildren;
}) {
  const id = panelId(props.title);
  return (
    <section class={`panel ${props.class ?? ''}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.aside === undefined ? null : <div class="aside">{props.aside}</div>}
      </header>
      {props.children}
    </section>
  );
}

/** A name and what stands for it. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A table that scrolls by itself when it is wide, so that the page never does. */
export function Table(props: {
  readonly label: string;
  readonly heads: readonly ComponentChildren[];
  readonly class?: string;
  readonly children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class="scroller" tabIndex={0} aria-label={props.label}>
      <table class={props.class ?? ''}>
        <thead>
          <tr>
            {props.heads.map((head, at) => (
              <th key={at} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </section>
  );
}

/** JSON that is read by people. */
export function JsonText({ value }: { value: unknown }) {
  return <pre class="json">{JSON.stringify(value, null, 2)}</pre>;
}
