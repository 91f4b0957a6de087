/**
 * A coordinator in memory for tests of the edge: it keeps what it was asked and answers from a map.
 * It has no rules of its own beyond "known or not known"; the rules are tested with the engine.
 */
import type {
  BeginRequest,
  Gid,
  Mode,
  SubmitRequest,
  TransactionView,
} from '../../client-sdk/protocol/index.ts';
import type { Verb } from '../../server/api/route.ts';
import type {
  Answered,
  Census,
  Coordinator,
  EngineStats,
  Refusal,
} from '../../server/engine/coordinator.ts';
import { createPulse } from '../../server/engine/pulse.ts';
import { systemClock } from '../../server/runtime/clock.ts';

export interface MemoryCoordinator extends Coordinator {
  /** Every request that came through, in order. */
  readonly asked: { readonly verb: Verb; readonly body: unknown }[];
  /** Gids that an operator did something to. */
  readonly operated: string[];
  /** Who watches. */
  readonly watchers: Set<(gid: Gid) => void>;
  /** When set, every request is refused with it. */
  refusal: Refusal | null;
  /** Shown by stats(). */
  current: Partial<EngineStats>;
}

export const zeroCensus: Census = {
  open: { active: 0, committing: 0, rollingBack: 0 },
  oldestStartedAtMs: { active: null, committing: null, rollingBack: null },
  attention: 0,
  oldestOpen: null,
  shards: [{ open: 0, attention: 0 }],
};

const zero = { transaction: 0, saga: 0 } as const;

export const zeroStats: EngineStats = {
  state: 'running',
  epoch: 1,
  begun: zero,
  committed: zero,
  rolledBack: zero,
  durableWaits: zero,
  lazyWaits: zero,
  attentionRaised: 0,
  open: 0,
  pendingRows: 0,
  oldestPendingMs: 0,
  timers: 0,
  callsInFlight: 0,
  commits: 0,
  rows: 0,
  unknownAppends: 0,
  conflicts: 0,
  calls: { done: 0, refused: 0, ongoing: 0, unknown: 0 },
  retries: 0,
  recovered: 0,
  deadlocks: 0,
};

export function memoryCoordinator(): MemoryCoordinator {
  const views = new Map<Gid, TransactionView>();
  const asked: MemoryCoordinator['asked'] = [];
  const pulse = createPulse(systemClock());

  function answer<T>(verb: Verb, body: unknown, answered: Answered<T>, make: () => T | null) {
    asked.push({ verb, body });
    if (coordinator.refusal !== null) {
      answered(coordinator.refusal);
      return;
    }
    const made = make();
    if (made === null)
      answered({ ok: false, code: 'NOT_FOUND', detail: 'Nothing is known of it.' });
    else answered({ ok: true, body: made });
  }

  function keep(request: BeginRequest | SubmitRequest, mode: Mode): TransactionView {
    const view = viewOf(request, mode);
    views.set(request.gid, view);
    return view;
  }

  const known = (gid: Gid): TransactionView | null => views.get(gid) ?? null;

  const coordinator: MemoryCoordinator = {
    asked,
    operated: [],
    watchers: new Set(),
    refusal: null,
    current: {},
    begin: (request, answered) =>
      answer('begin', request, answered, () => keep(request, 'transaction')),
    submit: (request, answered) => answer('submit', request, answered, () => keep(request, 'saga')),
    register: (request, answered) =>
      answer('register', request, answered, () => known(request.gid)),
    decide: (request, answered) => answer('decide', request, answered, () => known(request.gid)),
    tryBranch: (request, answered) =>
      answer('try', request, answered, () =>
        known(request.gid) === null ? null : { result: { reserved: true } },
      ),
    get: (request, answered) => answer('get', request, answered, () => known(request.gid)),
    list: (request, answered) =>
      answer('list', request, answered, () => ({
        transactions: [...views.values()].map((view) => ({
          ...view,
          ...{ services: [], lastError: null, attempts: 0, nextAttemptAtMs: null },
        })),
        nextCursor: null,
      })),
    reportWaits: (request, answered) =>
      answer('reportWaits', request, answered, () => ({ giveWay: null })),
    undo: (request, answered) =>
      answer('undo', request, answered, () => {
        const { gid } = request;
        return known(gid) && { gid, phase: 'rollingBack' as const, resources: [] };
      }),
    resolve: (request, answered) =>
      answer('resolve', request, answered, () => {
        const { gid, dryRun = false } = request;
        const participant = { service: 'shop', method: 'at.orders' };
        return known(gid) && { gid, branchIds: [1], participant, dryRun, rows: [], rowsTotal: 0 };
      }),
    locks: (request, answered) =>
      answer('locks', request, answered, () => {
        const { service, resource } = request;
        return { service, resource, locks: [], nextCursor: null };
      }),
    health: (_request, answered) => answered({ ok: true, body: { tables: [] } }),
    openParticipants: () => [],
    operate: ({ gid, dryRun }, answered) => {
      const view = known(gid);
      if (view === null) {
        answered({ ok: false, code: 'NOT_FOUND', detail: 'Nothing is known of it.' });
        return;
      }
      const { name, phase: before } = view;
      if (!dryRun) coordinator.operated.push(gid);
      answered({ ok: true, body: { gid, name, before, after: before } });
    },
    matching: (query, limit, answered) =>
      answer('list', query, answered, () => {
        const gids = [...views.keys()];
        return { gids: gids.slice(0, limit), total: gids.length };
      }),
    stats: () => ({ ...zeroStats, ...coordinator.current }),
    census: () => zeroCensus,
    owed: () => [],
    pulse: () => pulse.report(),
    lockWaits: () => 0,
    reportedWaits: () => [],
    openOnes: () => [],
    watch(watcher) {
      coordinator.watchers.add(watcher);
      return () => void coordinator.watchers.delete(watcher);
    },
    verify: (request, answered) =>
      answer('verifyLog', request, answered, () => ({
        checked: views.size,
        faults: [],
        next: null,
      })),
  };
  return coordinator;
}

function viewOf(request: BeginRequest | SubmitRequest, mode: Mode): TransactionView {
  return {
    gid: request.gid,
    mode,
    phase: 'active',
    cause: null,
    deadlineAtMs: null,
    name: request.name ?? '',
    attention: null,
    labels: request.labels ?? {},
    startedAtMs: 1_700_000_000_000,
    decidedAtMs: null,
    finishedAtMs: null,
    branches: [],
  };
}
