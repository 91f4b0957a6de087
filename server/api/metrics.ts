/**
 * What `/metrics` shows: counters and gauges of the engine, connected participants, and basics of
 * the process. Labels come from closed sets, but for service names, which are cut off at a number.
 */
import type { Census, EngineStats, OpenPhase, PulseReport } from '../engine/coordinator.ts';
import type { HistogramMetric, HistogramSample, Metric, Sample } from '../observe/metrics.ts';
import { version } from '../version.ts';

/** Instances of one service that are connected by the channel now. */
export interface ConnectedService {
  readonly service: string;
  readonly instances: number;
}

/** Calls that wait for a place, by how their participants are reached. */
export interface CallsQueued {
  readonly channel: number;
  readonly http: number;
}

/** What is not counted, but looked at when somebody asks. */
export interface Looked {
  readonly census: Census;
  readonly pulse: PulseReport;
  readonly lockWaits: number;
  readonly callsQueued: CallsQueued;
  /** Streams of `/v1/events`. */
  readonly eventStreams: number;
  readonly nowMs: number;
}

/** Services shown by name; the rest is summed up as `other`, so that scrapers stay small. */
export const servicesShownMax = 100;

const states = ['starting', 'recovering', 'running', 'stopping', 'fenced', 'stopped'] as const;

/** All metrics at this moment, in a fixed order. */
export function metricsOf(
  stats: EngineStats,
  services: readonly ConnectedService[],
  looked: Looked,
): readonly (Metric | HistogramMetric)[] {
  return [
    ...engineMetrics(stats),
    ...openMetrics(looked),
    ...histograms(looked.pulse),
    ...logMetrics(stats),
    connected(services),
    ...processMetrics(),
  ];
}

function openMetrics(looked: Looked): readonly Metric[] {
  const { census, lockWaits, callsQueued, eventStreams, nowMs } = looked;
  const phases = Object.keys(census.open) as readonly OpenPhase[];
  const ages = phases.map((phase) => {
    const startedAtMs = census.oldestStartedAtMs[phase];
    const value = startedAtMs === null ? 0 : Math.max(0, nowMs - startedAtMs) / 1_000;
    return { labels: { phase }, value };
  });
  return [
    gauge(
      'settle_open_by_phase',
      'Global transactions that are not finished.',
      byLabel('phase', census.open),
    ),
    gauge('settle_oldest_open_seconds', 'Age of the oldest one; 0 when there is none.', ages),
    gauge('settle_attention_open', 'Open ones that need a human now.', one(census.attention)),
    gauge('settle_lock_waits', 'Scopes of services that wait for a lock.', one(lockWaits)),
    gauge(
      'settle_calls_queued',
      'Calls that wait for a place at a participant.',
      byLabel('transport', { ...callsQueued }),
    ),
    gauge('settle_event_streams', 'Who watches by /v1/events.', one(eventStreams)),
  ];
}

function histograms(pulse: PulseReport): readonly HistogramMetric[] {
  const { durations, callMs, appendMs, commitRows } = pulse;
  const ended = (['committed', 'rolledBack'] as const).flatMap((outcome) =>
    (['transaction', 'saga'] as const).map((mode) => {
      return inSeconds({ mode, outcome }, durations[outcome][mode]);
    }),
  );
  const calls = (['done', 'refused', 'ongoing', 'unknown'] as const).map((outcome) =>
    inSeconds({ outcome }, callMs[outcome]),
  );
  return [
    histogram('settle_transaction_duration_seconds', 'From begin to end.', ended),
    histogram('settle_call_duration_seconds', 'From a call to its answer.', calls),
    histogram('settle_log_append_seconds', 'From an append to its answer.', [
      inSeconds({}, appendMs),
    ]),
    histogram('settle_log_commit_rows', 'Rows that shared one durable write.', [
      { value: commitRows, divisor: 1 },
    ]),
  ];
}

function inSeconds(
  labels: Readonly<Record<string, string>>,
  value: HistogramSample['value'],
): HistogramSample {
  return { labels, value, divisor: 1_000 };
}

function engineMetrics(stats: EngineStats): readonly Metric[] {
  const finished: Sample[] = [
    ...byMode(stats.committed, { outcome: 'committed' }),
    ...byMode(stats.rolledBack, { outcome: 'rolledBack' }),
  ];
  const inState = states.map((state) => ({
    labels: { state },
    value: state === stats.state ? 1 : 0,
  }));
  return [
    gauge('settle_engine_state', 'State of the engine: 1 for the one it is in.', inState),
    counter('settle_transactions_begun_total', 'Global transactions begun.', byMode(stats.begun)),
    counter('settle_transactions_finished_total', 'Global transactions finished.', finished),
    gauge('settle_open_transactions', 'Global transactions held in memory.', one(stats.open)),
    counter(
      'settle_attention_raised_total',
      'Times a human was asked for.',
      one(stats.attentionRaised),
    ),
    counter(
      'settle_calls_total',
      'Calls to participants that were answered.',
      byLabel('outcome', stats.calls),
    ),
    gauge(
      'settle_calls_in_flight',
      'Calls to participants not answered yet.',
      one(stats.callsInFlight),
    ),
    counter('settle_call_retries_total', 'Calls asked again.', one(stats.retries)),
    counter(
      'settle_deadlocks_total',
      'Waits in services that had to give way.',
      one(stats.deadlocks),
    ),
    gauge('settle_timers', 'Deadlines and retries that wait.', one(stats.timers)),
    counter(
      'settle_recovered_total',
      'Open transactions read back at start.',
      one(stats.recovered),
    ),
  ];
}

function logMetrics(stats: EngineStats): readonly Metric[] {
  return [
    gauge('settle_log_epoch', 'Term of this coordinator.', one(stats.epoch)),
    counter('settle_log_commits_total', 'Durable writes of the log.', one(stats.commits)),
    counter('settle_log_rows_total', 'Rows in those writes.', one(stats.rows)),
    counter(
      'settle_durable_waits_total',
      'Waits of an initiator for a durable write.',
      byMode(stats.durableWaits),
    ),
    counter(
      'settle_lazy_waits_total',
      'Answers that waited for a lazy record.',
      byMode(stats.lazyWaits),
    ),
    counter(
      'settle_log_unknown_appends_total',
      'Writes whose outcome was unknown; they are repeated.',
      one(stats.unknownAppends),
    ),
    counter(
      'settle_log_conflicts_total',
      'Writes refused because the slot was taken.',
      one(stats.conflicts),
    ),
    gauge('settle_log_pending_rows', 'Rows that wait for the log.', one(stats.pendingRows)),
    gauge(
      'settle_log_oldest_pending_seconds',
      'How long the oldest of them waits.',
      one(stats.oldestPendingMs / 1_000),
    ),
  ];
}

function connected(services: readonly ConnectedService[]): Metric {
  const sorted = services.toSorted((a, b) => (a.service < b.service ? -1 : 1));
  const samples = sorted.slice(0, servicesShownMax).map(({ service, instances }) => ({
    labels: { service },
    value: instances,
  }));
  const rest = sorted.slice(servicesShownMax).reduce((sum, { instances }) => sum + instances, 0);
  if (rest > 0) samples.push({ labels: { service: 'other' }, value: rest });
  return gauge('settle_connected_instances', 'Instances connected by the channel.', samples);
}

function processMetrics(): readonly Metric[] {
  const cpu = process.cpuUsage();
  const startedAt = Date.now() / 1_000 - process.uptime();
  return [
    counter(
      'process_cpu_seconds_total',
      'User and system time.',
      one((cpu.user + cpu.system) / 1e6),
    ),
    gauge('process_resident_memory_bytes', 'Resident memory.', one(process.memoryUsage.rss())),
    gauge('process_start_time_seconds', 'Start, Unix time.', one(Number(startedAt.toFixed(3)))),
    gauge('settle_build_info', 'Version; the value is always 1.', [
      { labels: { version }, value: 1 },
    ]),
  ];
}

const one = (value: number): readonly Sample[] => [{ value }];
const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  name,
  help,
  type: 'gauge',
  samples,
});
const histogram = (
  name: string,
  help: string,
  samples: readonly HistogramSample[],
): HistogramMetric => ({ name, help, type: 'histogram', samples });
const counter = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  name,
  help,
  type: 'counter',
  samples,
});

function byLabel(label: string, counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function byMode(
  counts: EngineStats['begun'],
  labels: Readonly<Record<string, string>> = {},
): readonly Sample[] {
  return Object.entries(counts).map(([mode, value]) => ({ labels: { mode, ...labels }, value }));
}
