/**
 * Who may come in. Early refusals, before anything is stored: they say what is wrong and when to come
 * again. Decisions and reads are let in as long as the term lasts, for they make open work end.
 */
import type { Gid, Participant } from '../../client-sdk/protocol/index.ts';
import type { Transport } from '../dispatch/transport.ts';
import type { EngineStats, Refusal } from './coordinator.ts';
import type { GroupCommit } from './group-commit.ts';
import { checkTargets } from './intake.ts';
import { type EngineOptions, engineLimits } from './limits.ts';
import type { Registry } from './registry.ts';

/** What admission looks at. */
export interface AdmissionPorts {
  readonly state: () => EngineStats['state'];
  readonly mailboxes: Registry['mailboxes'];
  readonly commit: () => Pick<
    GroupCommit<unknown>,
    'pendingRows' | 'stalledMs' | 'queuedMs'
  > | null;
  readonly transports: readonly Transport[];
  readonly options: EngineOptions;
}

/** Null when the request may come in. */
export interface Admission {
  /** For begin and submit. */
  newWork(participants: readonly { readonly participant: Participant }[]): Refusal | null;
  /** For requests about a gid; `participants` are those it would add. */
  work(gid: Gid, participants?: readonly { readonly participant: Participant }[]): Refusal | null;
}

/** Admission by the state of this engine. */
export function createAdmission(ports: AdmissionPorts): Admission {
  const { mailboxes, transports, options } = ports;
  const reaches = (participant: Participant) =>
    transports.some((transport) => transport.reaches(participant));

  function loadRefusal(): Refusal | null {
    const commit = ports.commit();
    if (mailboxes.size >= options.openTransactionsMax) {
      return refusal('OVERLOADED', `${mailboxes.size} transactions are open`, 1_000);
    }
    if (commit === null || commit.stalledMs() > options.logStallMs) {
      return refusal('LOG_UNAVAILABLE', `no commit for more than ${options.logStallMs} ms`, 1_000);
    }
    const { queueMsMax } = engineLimits;
    if (commit.queuedMs() > queueMsMax) {
      return refusal('OVERLOADED', `rows wait for the log for more than ${queueMsMax} ms`, 200);
    }
    if (commit.pendingRows() < options.pendingRowsMax) return null;
    return refusal('OVERLOADED', `${commit.pendingRows()} rows wait for the log`, 200);
  }

  return {
    newWork(participants) {
      const state = ports.state();
      if (state === 'stopping') return refusal('STOPPING', 'the coordinator is stopping', 500);
      return termRefusal(state) ?? loadRefusal() ?? checkTargets(participants, reaches);
    },
    work(gid, participants = []) {
      const waiting = mailboxes.get(gid)?.tasks.length ?? 0;
      if (waiting >= engineLimits.mailboxTasksMax) {
        return refusal('OVERLOADED', `${waiting} requests wait for this gid`, 1_000);
      }
      return termRefusal(ports.state()) ?? checkTargets(participants, reaches);
    },
  };
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
