/** How a transaction looks from outside: answers, views and list lines. */
import type {
  BranchKind,
  BranchView,
  Direction,
  Json,
  Participant,
  TransactionAnswer,
  TransactionSummary,
  TransactionView,
} from '../../client-sdk/protocol/index.ts';
import type { Branch, Saga, SagaStep, Transaction, TwoPhase } from '../core/transaction.ts';
import type { IndexRow } from '../log/log.ts';
import type { CallState } from './calls.ts';
import type { Mailbox } from './mailbox.ts';

/** What phase two has made of a branch. */
const endings = {
  tcc: { commit: 'confirmed', rollback: 'cancelled' },
  at: { commit: 'committed', rollback: 'rolledBack' },
} as const satisfies Record<BranchKind, Record<Direction, BranchView['state']>>;

/** The short answer to begin, register, decide and submit. */
export function toAnswer(tx: Transaction, branchIds: readonly number[] | null): TransactionAnswer {
  const { gid, mode, phase, cause, deadlineAtMs } = tx;
  return {
    gid,
    mode,
    phase,
    cause,
    deadlineAtMs,
    ...(branchIds === null ? {} : { branchIds }),
    ...(tx.mode === 'saga' && tx.phase === 'committed' ? { results: resultsOf(tx) } : {}),
  };
}

/** Everything that there is to see. */
export function toView(mailbox: Mailbox, tx: Transaction): TransactionView {
  const { name, attention, labels, startedAtMs, decidedAtMs, finishedAtMs } = tx;
  return {
    ...toAnswer(tx, null),
    name,
    attention,
    labels,
    startedAtMs,
    decidedAtMs,
    finishedAtMs,
    branches:
      tx.mode === 'transaction'
        ? tx.branches.map((branch) => branchView(tx, branch, callOf(mailbox, branch.branchId)))
        : tx.steps.map((step) => stepView(step, callOf(mailbox, step.branchId))),
  };
}

/**
 * One line of a list. `phase` of an open transaction comes from its records, and what it waits for
 * from its calls; null and none for one that has ended.
 */
export function toSummary(
  row: IndexRow,
  tx: Transaction | null,
  calls: Iterable<CallState> = [],
): TransactionSummary {
  const { gid, mode, name, attention, startedAtMs, deadlineAtMs, finishedAtMs, labels } = row;
  const phase = row.outcome ?? tx?.phase ?? 'active';
  const cause = row.cause ?? tx?.cause ?? null;
  const isOpen = row.outcome === null && tx !== null;
  return {
    ...{
      gid,
      mode,
      name,
      phase,
      cause,
      attention,
      startedAtMs,
      deadlineAtMs,
      finishedAtMs,
      labels,
    },
    services: isOpen ? servicesOf(tx) : [],
    ...standing(isOpen ? tx : null, calls),
  };
}

function servicesOf(tx: Transaction): readonly string[] {
  const parts: readonly { readonly participant: Participant }[] =
    tx.mode === 'transaction' ? tx.branches : tx.steps;
  return [...new Set(parts.map(({ participant }) => serviceOf(participant)))];
}

/** Of an address only what says where it is: the rest may be secret. */
function serviceOf(participant: Participant): string {
  if ('service' in participant) return participant.service;
  return URL.parse(participant.url)?.origin ?? 'url';
}

/** How it goes on: the operation that was asked most often in vain, and when the next one is due. */
function standing(
  tx: Transaction | null,
  calls: Iterable<CallState>,
): Pick<TransactionSummary, 'lastError' | 'attempts' | 'nextAttemptAtMs'> {
  let attempts = 0;
  let lastError: string | null = null;
  let nextAttemptAtMs: number | null = null;
  for (const call of calls) {
    if (call.attempts > attempts) {
      attempts = call.attempts;
      lastError = call.lastError;
    }
    const { nextAtMs } = call;
    if (nextAtMs !== null) nextAttemptAtMs = Math.min(nextAtMs, nextAttemptAtMs ?? nextAtMs);
  }
  if (lastError === null && tx?.mode === 'saga') {
    lastError = tx.steps.findLast((step) => step.lastError !== null)?.lastError ?? null;
  }
  return { lastError, attempts, nextAttemptAtMs };
}

function resultsOf(tx: Saga): Readonly<Record<string, Json>> {
  return Object.fromEntries(tx.steps.map((step) => [step.name, step.result]));
}

function callOf(mailbox: Mailbox, branchId: number): CallState | null {
  for (const call of mailbox.calls.values()) {
    if (call.effect.branchId === branchId) return call;
  }
  return null;
}

function branchView(tx: TwoPhase, branch: Branch, call: CallState | null): BranchView {
  const { branchId, kind, participant } = branch;
  const finished = endings[kind][isCommit(tx) ? 'commit' : 'rollback'];
  const open = tx.phase === 'active' ? 'registered' : 'asked';
  const state = branch.isFinished ? finished : open;
  return { branchId, name: null, kind, participant, state, ...progress(call), result: null };
}

function isCommit(tx: Transaction): boolean {
  return tx.phase === 'committing' || tx.phase === 'committed';
}

function stepView(step: SagaStep, call: CallState | null): BranchView {
  const { branchId, name, participant, result } = step;
  const open = call === null ? 'waiting' : 'asked';
  const state = step.state === 'pending' ? open : step.state;
  const seen = progress(call);
  const lastError = seen.lastError ?? step.lastError;
  return { branchId, name, kind: 'step', participant, state, ...seen, lastError, result };
}

function progress(
  call: CallState | null,
): Pick<BranchView, 'operation' | 'attempts' | 'nextAttemptAtMs' | 'lastError'> {
  if (call === null)
    return { operation: null, attempts: 0, nextAttemptAtMs: null, lastError: null };
  const { effect, attempts, nextAtMs, lastError } = call;
  return { operation: effect.operation, attempts, nextAttemptAtMs: nextAtMs, lastError };
}
