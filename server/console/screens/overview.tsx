/**
 * What is going on, at one look: rates, times, what is open, and who needs a human. The first answer
 * has the last minutes; each tick of the stream adds its second.
 */
import { useState } from 'preact/hooks';
import type {
  OverviewSecond,
  OverviewView,
  Percentiles,
} from '../../../client-sdk/protocol/desk.ts';
import type { ListAnswer } from '../../../client-sdk/protocol/requests.ts';
import { useAnswer } from '../answer.ts';
import { useHeard } from '../live.ts';
import { type Layer, StackedChart } from '../parts/chart.tsx';
import { Age, Empty, GidLink, Loading, Panel, PhaseBadge, Refusal } from '../parts/shown.tsx';
import { href } from '../route.ts';
import {
  count,
  type Listed,
  percentileText,
  phaseWords,
  roughSpan,
  troubleText,
} from '../wording.ts';
import { DoctorPanel } from './doctor.tsx';

const secondsMax = 300;
const needsYouMax = 8;
const openPhases = ['active', 'committing', 'rollingBack'] as const;

/** The first screen. */
export function OverviewScreen() {
  const { view, refused } = useOverview();
  return (
    <>
      <h1>Overview</h1>
      {refused === null || view !== null ? null : <Refusal refused={refused} what="Rates" />}
      {view === null && refused === null ? <Loading /> : null}
      {view === null ? null : <Tiles view={view} />}
      {view === null ? null : (
        <Panel title="Ended per second" aside={<Share seconds={view.seconds} />}>
          <StackedChart
            label="Ended in the last minutes"
            atMs={view.seconds.map(({ atMs }) => atMs)}
            layers={layersOf(view.seconds)}
          />
        </Panel>
      )}
      <NeedsYou />
      <DoctorPanel />
    </>
  );
}

function useOverview() {
  const shown = useAnswer<OverviewView>('/v1/overview', ({ kind }) => kind === 'beat');
  const [tick, setTick] = useState<OverviewView | null>(null);
  useHeard((heard) => {
    if (heard.kind !== 'overview' || shown.body === null) return;
    const { second, ...rest } = heard.overview;
    const before = newer(tick, shown.body).seconds.filter(({ atMs }) => atMs < second.atMs);
    setTick({ ...rest, seconds: [...before, second].slice(-secondsMax) });
  });
  const view = shown.body === null ? null : newer(tick, shown.body);
  return { view, refused: shown.refused };
}

function newer(tick: OverviewView | null, body: OverviewView): OverviewView {
  return tick !== null && tick.atMs > body.atMs ? tick : body;
}

function layersOf(seconds: readonly OverviewSecond[]): readonly Layer[] {
  const layer = (
    name: string,
    outcome: 'committed' | 'rolledBack',
    mode: 'transaction' | 'saga',
  ): Layer => ({
    name,
    class: `layer-${outcome}-${mode}`,
    values: seconds.map((second) => second[outcome][mode]),
  });
  return [
    layer('transactions committed', 'committed', 'transaction'),
    layer('sagas committed', 'committed', 'saga'),
    layer('transactions rolled back', 'rolledBack', 'transaction'),
    layer('sagas rolled back', 'rolledBack', 'saga'),
  ];
}

function Share({ seconds }: { seconds: readonly OverviewSecond[] }) {
  let ended = 0;
  let back = 0;
  for (const { committed, rolledBack } of seconds) {
    back += rolledBack.transaction + rolledBack.saga;
    ended += committed.transaction + committed.saga;
  }
  ended += back;
  if (ended === 0) return <span class="faint">nothing has ended in these minutes</span>;
  const share = ((100 * back) / ended).toFixed(back === 0 ? 0 : 1);
  return (
    <span>
      <b class="mono">{share} %</b> rolled back of {count(ended)}
    </span>
  );
}

function Tiles({ view }: { view: OverviewView }) {
  const { open, attention, durationMs, logMs, connectedInstances, lockWaits } = view;
  const total = openPhases.reduce((sum, phase) => sum + open[phase], 0);
  return (
    <div class="tiles">
      <a
        class={`tile ${attention > 0 ? 'bad' : 'good'}`}
        href={href(['transactions'], { attention: 'true', outcome: 'open' })}
      >
        <b>{count(attention)}</b>
        <span>{attention === 1 ? 'needs you' : 'need you'}</span>
        <small>{attention === 0 ? 'nothing is stuck' : 'listed below'}</small>
      </a>
      <a class="tile" href={href(['transactions'], { outcome: 'open' })}>
        <b>{count(total)}</b>
        <span>open</span>
        <small class="phases">
          {openPhases.map((phase) => (
            <span key={phase}>
              {count(open[phase])} {phaseWords[phase]}
            </span>
          ))}
        </small>
      </a>
      <Oldest view={view} />
      <Times name="duration" times={durationMs} />
      <Times name="log append" times={logMs} />
      <a class={`tile ${lockWaits > 0 ? 'warn' : ''}`} href={href(['locks'])}>
        <b>{count(lockWaits)}</b>
        <span>{lockWaits === 1 ? 'waits for a lock' : 'wait for a lock'}</span>
        <small>as services report</small>
      </a>
      <a class="tile" href={href(['participants'])}>
        <b>{count(connectedInstances)}</b>
        <span>connected</span>
        <small>instances</small>
      </a>
    </div>
  );
}

function Oldest({ view: { atMs, oldestOpen } }: { view: OverviewView }) {
  if (oldestOpen === null) {
    return (
      <div class="tile">
        <b>–</b>
        <span>oldest open</span>
        <small>nothing is open</small>
      </div>
    );
  }
  const { gid, startedAtMs } = oldestOpen;
  return (
    <a class="tile" href={href(['transactions', gid])} title={gid}>
      <b>{roughSpan(atMs - startedAtMs)}</b>
      <span>oldest open</span>
      <small class="mono">{gid}</small>
    </a>
  );
}

function Times(props: { name: string; times: Percentiles | null }) {
  const { name, times } = props;
  return (
    <div class="tile">
      <b>{times === null ? '–' : percentileText(times.p50)}</b>
      <span>{name}, p50</span>
      <small>
        {times === null ? 'nothing to measure yet' : `p99 ${percentileText(times.p99)}`}
      </small>
    </div>
  );
}

function NeedsYou() {
  const path = `/v1/transactions?attention=true&outcome=open&limit=${needsYouMax}`;
  const { body, refused } = useAnswer<ListAnswer>(path);
  const all = (
    <a href={href(['transactions'], { attention: 'true', outcome: 'open' })}>all of them</a>
  );
  return (
    <Panel
      title="Needs you"
      class={body === null || body.transactions.length === 0 ? '' : 'bad'}
      aside={all}
    >
      {refused === null ? null : <Refusal refused={refused} what="Needs you" />}
      {body === null && refused === null ? <Loading /> : null}
      {body?.transactions.length === 0 ? <Empty>Nothing needs a human.</Empty> : null}
      <ul class="cards">
        {body?.transactions.map((line: Listed) => (
          <li key={line.gid} data-row>
            <p>
              <GidLink gid={line.gid} />
              <strong>{line.name}</strong>
              <PhaseBadge phase={line.phase} />
              <span class="faint">
                open for <Age fromMs={line.startedAtMs} toMs={null} />
              </span>
            </p>
            <p class="error-text">{troubleText(line)}</p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
