/**
 * Who may come in. Early refusals, before anything is stored: they say what is wrong and when to come
 * again. Decisions and reads are let in as long as the term lasts, for they make open work end. Gids
 * of the coordinator's own never come in: nothing that a caller sends can reach the audit in the log.
 */
import { type Gid, type Participant, reservedGidFault } from '../../client-sdk/protocol/index.ts';
import type { Transport } from '../dispatch/transport.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EngineStats, Refusal } from './coordinator.ts';
import type { GroupCommit } from './group-commit.ts';
import { checkTargets } from './intake.ts';
import { type EngineOptions, engineLimits } from './limits.ts';
import type { Registry } from './registry.ts';

/** What admission looks at. */
export interface AdmissionPorts {
  readonly state: () => EngineStats['state'];
  readonly mailboxes: Registry['mailboxes'];
  readonly clock: Clock;
  readonly commit: () => CommitLoad | null;
  readonly transports: readonly Transport[];
  readonly options: EngineOptions;
}

type CommitLoad = Pick<GroupCommit<unknown>, 'pendingRows' | 'stalledMs' | 'queuedMs'>;

/** Null when the request may come in. */
export interface Admission {
  /** For begin and submit. */
  newWork(gid: Gid, participants: readonly { readonly participant: Participant }[]): Refusal | null;
  /** For requests about a gid; `participants` are those it would add. */
  work(gid: Gid, participants?: readonly { readonly participant: Participant }[]): Refusal | null;
}

/** Admission by the state of this engine. */
export function createAdmission(ports: AdmissionPorts): Admission {
  const { mailboxes, transports, options } = ports;
  const reaches = (participant: Participant) =>
    transports.some((transport) => transport.reaches(participant));

  let refusedSinceMs = 0;
  let refusedAtMs = Number.NEGATIVE_INFINITY;

  function loadRefusal(): Refusal | null {
    const commit = ports.commit();
    if (commit === null || commit.stalledMs() > options.logStallMs) {
      return refusal('LOG_UNAVAILABLE', `no commit for more than ${options.logStallMs} ms`, 1_000);
    }
    const why = overload(commit);
    return why === null ? null : refusal('OVERLOADED', why, retryAfterMs());
  }

  function overload(commit: CommitLoad): string | null {
    if (mailboxes.size >= options.openTransactionsMax) {
      return `${mailboxes.size} transactions are open`;
    }
    const { queueMsMax } = engineLimits;
    if (commit.queuedMs() > queueMsMax) {
      return `rows wait for the log for more than ${queueMsMax} ms`;
    }
    if (commit.pendingRows() < options.pendingRowsMax) return null;
    return `${commit.pendingRows()} rows wait for the log`;
  }

  /** As long as the overload has lasted; a second without a refusal ends it. */
  function retryAfterMs(): number {
    const { min, max } = engineLimits.retryAfterMs;
    const nowMs = ports.clock.monotonicMs();
    if (nowMs - refusedAtMs > 1_000) refusedSinceMs = nowMs;
    refusedAtMs = nowMs;
    return Math.round(Math.min(max, Math.max(min, nowMs - refusedSinceMs)));
  }

  return {
    newWork(gid, participants) {
      const reserved = reservedRefusal(gid);
      if (reserved !== null) return reserved;
      const state = ports.state();
      if (state === 'stopping') return refusal('STOPPING', 'the coordinator is stopping', 500);
      return termRefusal(state) ?? loadRefusal() ?? checkTargets(participants, reaches);
    },
    work(gid, participants = []) {
      const reserved = reservedRefusal(gid);
      if (reserved !== null) return reserved;
      const waiting = mailboxes.get(gid)?.tasks.length ?? 0;
      if (waiting >= engineLimits.mailboxTasksMax) {
        return refusal('OVERLOADED', `${waiting} requests wait for this gid`, 1_000);
      }
      return termRefusal(ports.state()) ?? checkTargets(participants, reaches);
    },
  };
}

function reservedRefusal(gid: Gid): Refusal | null {
  const fault = reservedGidFault(gid);
  return fault === null ? null : refusal('INVALID_REQUEST', fault);
}

/** Without a term nothing can be answered. */
function termRefusal(state: EngineStats['state']): Refusal | null {
  if (state === 'fenced') return refusal('FENCED', 'another coordinator took over', 1_000);
  if (state !== 'starting' && state !== 'stopped') return null;
  return refusal('STOPPING', `the coordinator is ${state}`, 500);
}

/** A refusal as a value. */
export function refusal(code: Refusal['code'], detail: string, retryAfterMs?: number): Refusal {
  return { ok: false, code, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}
