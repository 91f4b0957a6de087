/**
 * What operators look at, and the switch that keeps calls from a service. Everything but that switch
 * changes nothing. Guards: secrets and payloads are not shown; draining is on the record.
 */
import type {
  ConfigView,
  DrainAnswer,
  DrainRequest,
  Explanation,
  Gid,
  LockGraphAnswer,
  LogVerdict,
  LogView,
  NodesAnswer,
  NodeView,
  OverviewView,
  ParticipantsAnswer,
  PingAnswer,
  PingRequest,
  ShardsAnswer,
  TimelineAnswer,
  TransactionView,
  VerifyLogRequest,
} from '../../client-sdk/protocol/index.ts';
import {
  type Answer,
  type Answered,
  type Coordinator,
  logAway,
  type Refusal,
} from '../engine/coordinator.ts';
import type { IndexRow, LogRow, TransactionLog } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { auditGidPrefix } from './audit.ts';
import type { Desk } from './desk.ts';
import { createEvents, type Events } from './events.ts';
import { explain, explainUnreadable, type Pauses } from './explain.ts';
import { lockGraph } from './lock-graph.ts';
import { type Channel, participantViews } from './participants.ts';
import { type Callbacks, ping } from './ping.ts';
import { pivotsIn, timelineOf } from './timeline.ts';

/** What the edge may ask. Never rejects for what a caller did. */
export interface Lookout {
  /** NOT_FOUND; LOG_UNAVAILABLE. */
  timeline(gid: Gid): Promise<Answer<TimelineAnswer>>;
  /** The same; also of a transaction whose records cannot be read. */
  explanation(gid: Gid): Promise<Answer<Explanation>>;
  overview(): OverviewView;
  participants(): ParticipantsAnswer;
  /** Who waits for whom now; asks participants while somebody waits. */
  lockGraph(): Promise<LockGraphAnswer>;
  /** Asks instances and addresses whether they are there; changes nothing. NOT_FOUND. */
  ping(request: PingRequest): Promise<Answer<PingAnswer>>;
  /** No more calls to a service, or calls again. Safe to repeat. FORBIDDEN, LOG_UNAVAILABLE. */
  drain(request: DrainRequest, isDrained: boolean, who: string): Promise<Answer<DrainAnswer>>;
  nodes(): NodesAnswer;
  shards(): ShardsAnswer;
  log(): LogView;
  verifyLog(request: VerifyLogRequest): Promise<Answer<LogVerdict>>;
  config(): ConfigView;
  readonly events: Events;
}

/** What it needs. */
export interface LookoutPorts {
  readonly clock: Clock;
  readonly log: Pick<TransactionLog, 'read' | 'find'>;
  readonly coordinator: Coordinator;
  readonly desk: Pick<Desk, 'change'>;
  readonly channel: Channel;
  readonly callbacks: Callbacks | null;
  /** As the coordinator asks again. */
  readonly retry: Pauses;
  /** This coordinator; its epoch and state are asked of the engine. */
  readonly node: Pick<NodeView, 'node' | 'version' | 'startedAtMs'> & {
    readonly address: () => string;
  };
  /** Without its password. */
  readonly logUrl: string;
  /** Secrets hidden. */
  readonly config: ConfigView;
}

/** Names that may be kept in memory; nobody drains so many. */
export const drainedMax = 1_000;

/** The lookout of one coordinator. */
export function createLookout(ports: LookoutPorts): Lookout {
  const { clock, coordinator, channel } = ports;
  const overview = () => overviewOf(ports);
  const events = createEvents({ clock, watch: coordinator.watch, overview });
  return {
    timeline: (gid) => timeline(ports, gid),
    explanation: (gid) => explanation(ports, gid),
    overview,
    participants: () => ({
      participants: participantViews(channel.participants(), coordinator.owed(), channel.drained()),
    }),
    lockGraph: () => lockGraph(ports),
    ping: (request) => ping(ports, request),
    drain: (request, isDrained, who) => drain(ports, request, { isDrained, who }),
    nodes() {
      const { node, address, version, startedAtMs } = ports.node;
      const { epoch, state } = coordinator.stats();
      const own = { node, address: address(), epoch, isThis: true, state, version, startedAtMs };
      return { nodes: [own] };
    },
    shards() {
      const { node } = ports.node;
      const { shards } = coordinator.census();
      return { shards: shards.map((counts, shard) => ({ shard, node, ...counts })) };
    },
    log() {
      const stats = coordinator.stats();
      const { epoch, commits, rows, unknownAppends, conflicts, pendingRows } = stats;
      const { logMs } = coordinator.pulse();
      const counts = { commits, rows, unknownAppends, conflicts, pendingRows };
      return { url: ports.logUrl, epoch, ...counts, logMs };
    },
    verifyLog: (request) => asked((done) => coordinator.verify(request, done)),
    config: () => ports.config,
    events,
  };
}

function overviewOf({ clock, coordinator, channel }: LookoutPorts): OverviewView {
  const { open, attention, oldestOpen } = coordinator.census();
  const { seconds, durationMs, logMs } = coordinator.pulse();
  return {
    atMs: clock.nowMs(),
    state: coordinator.stats().state,
    open,
    attention,
    oldestOpen,
    seconds,
    durationMs,
    logMs,
    lockWaits: coordinator.lockWaits(),
    connectedInstances: channel.participants().length,
  };
}

async function timeline({ log }: LookoutPorts, gid: Gid): Promise<Answer<TimelineAnswer>> {
  const rows = await rowsOf(log, gid);
  if (rows === null) return logAway;
  if (rows.length === 0) return unknownGid;
  return { ok: true, body: { gid, entries: timelineOf(rows) } };
}

async function explanation(ports: LookoutPorts, gid: Gid): Promise<Answer<Explanation>> {
  const { clock, log, coordinator } = ports;
  const view = await asked<TransactionView>((done) => coordinator.get({ gid }, done));
  if (!view.ok) return view.code === 'INTERNAL' ? unreadable(ports, gid, view) : view;
  const { mode, phase } = view.body;
  // Only of a saga that may still go either way it matters which step is the pivot.
  const rows = mode === 'saga' && phase === 'active' ? await rowsOf(log, gid) : [];
  if (rows === null) return logAway;
  const seen = { nowMs: clock.nowMs(), pivots: pivotsIn(rows), retry: ports.retry };
  return { ok: true, body: explain(view.body, seen) };
}

/** The engine cannot read it: that is an answer here, with what the index knows. */
async function unreadable(
  { log }: LookoutPorts,
  gid: Gid,
  refusal: Refusal,
): Promise<Answer<Explanation>> {
  try {
    const [row] = await log.find([gid]);
    return { ok: true, body: explainUnreadable(gid, phaseOf(row), refusal.detail) };
  } catch {
    return logAway;
  }
}

function phaseOf(row: IndexRow | undefined): Explanation['phase'] {
  return row?.outcome ?? 'active';
}

async function drain(
  { desk, channel }: LookoutPorts,
  { service, reason, dryRun = false }: DrainRequest,
  { isDrained, who }: { readonly isDrained: boolean; readonly who: string },
): Promise<Answer<DrainAnswer>> {
  const isFull = channel.drained().length >= drainedMax && !channel.drained().includes(service);
  if (isDrained && isFull) {
    const detail = `${drainedMax} services are drained already`;
    return { ok: false, code: 'LIMIT_EXCEEDED', detail };
  }
  if (dryRun) return { ok: true, body: { service, isDrained, auditSeq: null, dryRun } };
  const action = isDrained ? 'participant.drain' : 'participant.undrain';
  const draft = { who, action, reason, target: { service } };
  const done = await desk.change(draft, async () => {
    const before = { isDrained: channel.drained().includes(service) };
    channel.drain(service, isDrained);
    return { answer: null, before, after: { isDrained } };
  });
  if (!done.ok) return done;
  return { ok: true, body: { service, isDrained, auditSeq: done.body.seq, dryRun } };
}

const unknownGid: Refusal = {
  ok: false,
  code: 'NOT_FOUND',
  detail: 'nothing was begun under this gid',
};

/** Null: the log is away. The audit's own gids are no transactions. */
async function rowsOf(log: LookoutPorts['log'], gid: Gid): Promise<readonly LogRow[] | null> {
  if (gid.startsWith(auditGidPrefix)) return [];
  try {
    return await log.read([gid]);
  } catch {
    return null;
  }
}

function asked<T>(start: (answered: Answered<T>) => void): Promise<Answer<T>> {
  return new Promise((resolve) => start(resolve));
}
