/**
 * What those who look see of all that is in memory: how many are open and how old, what services
 * owe, which gids change. Guard: it changes nothing, and while nobody looks it costs nothing.
 */
import type { EpochMs, Gid } from '../../client-sdk/protocol/index.ts';
import type { Branch } from '../core/transaction.ts';
import { shardCount, shardOf } from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Census, EngineSight, OpenTransaction, Owed } from './coordinator.ts';
import type { Deadlocks } from './deadlocks.ts';
import type { Mailbox } from './mailbox.ts';
import type { Pulse } from './pulse.ts';
import type { Registry } from './registry.ts';
import { resourceOf } from './undo-branches.ts';

/** What it needs of the engine. */
export interface SightPorts {
  readonly clock: Clock;
  readonly registry: Pick<Registry, 'mailboxes' | 'unreadableOpen'>;
  readonly pulse: Pulse;
  readonly deadlocks: Pick<Deadlocks, 'reported' | 'waiting'>;
}

/** What the engine tells. */
export interface Sight {
  readonly shown: Omit<EngineSight, 'verify'>;
  /** Something happened to this gid. */
  changed(gid: Gid): void;
}

/** A count holds for so long … */
const surveyMs = 500;
/** … and for so many times what it took: 100,000 open ones take 30 ms of everybody's time. */
const restFactor = 50;

/** Nobody looks yet. */
export function createSight({ clock, registry, pulse, deadlocks }: SightPorts): Sight {
  const { mailboxes, unreadableOpen } = registry;
  const watchers = new Set<(gid: Gid) => void>();
  const census = heldFor(clock, () => censusOf(mailboxes.values(), unreadableOpen));
  const owed = heldFor(clock, () => {
    return owedIn(mailboxes.values(), clock.nowMs() - clock.monotonicMs());
  });

  return {
    shown: {
      census,
      owed,
      pulse: () => pulse.report(),
      lockWaits: () => deadlocks.waiting(),
      reportedWaits: () => deadlocks.reported(),
      openOnes: (gids) => [...gids].flatMap((gid) => openOne(mailboxes.get(gid))),
      watch(watcher) {
        // Of its own, so that the same function may watch twice.
        const own = (gid: Gid) => watcher(gid);
        watchers.add(own);
        return () => void watchers.delete(own);
      },
    },
    changed(gid) {
      if (watchers.size === 0) return;
      for (const watcher of watchers) watcher(gid);
    },
  };
}

function heldFor<T>(clock: Clock, count: () => T): () => T {
  let held: { readonly value: T; readonly untilMs: number } | null = null;
  return () => {
    const nowMs = clock.monotonicMs();
    if (held === null || nowMs >= held.untilMs) {
      const value = count();
      const tookMs = clock.monotonicMs() - nowMs;
      held = { value, untilMs: nowMs + Math.max(surveyMs, restFactor * tookMs) };
    }
    return held.value;
  };
}

/** Those that cannot be read need a human; in which phase they are nobody knows, so none counts them. */
function censusOf(all: readonly Mailbox[], unreadable: ReadonlySet<Gid>): Census {
  const open = { active: 0, committing: 0, rollingBack: 0 };
  const oldest: { [phase in keyof typeof open]: EpochMs | null } = {
    active: null,
    committing: null,
    rollingBack: null,
  };
  const shards = Array.from({ length: shardCount }, () => ({ open: 0, attention: 0 }));
  let attention = 0;
  let oldestOpen: Census['oldestOpen'] = null;
  for (const { gid, tx, shard } of all) {
    if (tx === null || tx.phase === 'committed' || tx.phase === 'rolledBack') continue;
    const { phase, startedAtMs } = tx;
    open[phase] += 1;
    oldest[phase] = Math.min(oldest[phase] ?? startedAtMs, startedAtMs);
    const own = shards[shard];
    if (own !== undefined) own.open += 1;
    if (tx.attention !== null) {
      attention += 1;
      if (own !== undefined) own.attention += 1;
    }
    if (oldestOpen === null || startedAtMs < oldestOpen.startedAtMs) {
      oldestOpen = { gid, startedAtMs };
    }
  }
  for (const gid of unreadable) {
    const own = shards[shardOf(gid)];
    if (own === undefined) continue;
    own.open += 1;
    own.attention += 1;
    attention += 1;
  }
  return { open, oldestStartedAtMs: oldest, attention, oldestOpen, shards };
}

function openOne(mailbox: Mailbox | undefined): readonly OpenTransaction[] {
  const tx = mailbox?.tx ?? null;
  if (mailbox === undefined || tx === null) return [];
  const { gid, isDecisionDurable } = mailbox;
  const participants = tx.mode === 'transaction' ? tx.branches.filter(isAt) : [];
  const resources = new Map<string, { readonly service: string; readonly resource: string }>();
  for (const { participant } of participants) {
    const resource = resourceOf(participant);
    if (resource === null || !('service' in participant)) continue;
    const { service } = participant;
    resources.set(`${service} ${resource}`, { service, resource });
  }
  const { name, startedAtMs } = tx;
  const phase = isDecisionDurable ? tx.phase : 'active';
  return [{ gid, name, phase, startedAtMs, resources: [...resources.values()] }];
}

function isAt({ kind }: Branch): boolean {
  return kind === 'at';
}

/** `offsetMs`: from the monotonic clock to the wall clock. */
function owedIn(all: readonly Mailbox[], offsetMs: number): readonly Owed[] {
  const byService = new Map<string, { owed: number; sinceMs: number; lastError: string | null }>();
  for (const { calls } of all) {
    for (const { effect, state, sinceMs, lastError } of calls.values()) {
      if (state === 'answered' || !('service' in effect.participant)) continue;
      const { service } = effect.participant;
      const found = byService.get(service);
      if (found === undefined) byService.set(service, { owed: 1, sinceMs, lastError });
      else {
        found.owed += 1;
        if (sinceMs < found.sinceMs || found.lastError === null) {
          found.lastError = lastError ?? found.lastError;
        }
        found.sinceMs = Math.min(found.sinceMs, sinceMs);
      }
    }
  }
  return [...byService].map(([service, { owed, sinceMs, lastError }]) => {
    return { service, owed, oldestAtMs: Math.round(sinceMs + offsetMs), lastError };
  });
}
