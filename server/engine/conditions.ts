/**
 * What a query asks, applied to one transaction in memory; and whether it can be answered at all.
 * What the log finds by an index must fit the same conditions (server/log): the two see different
 * transactions, and a list is made of both.
 */
import type { Participant, Phase, TransactionQuery } from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../core/transaction.ts';
import type { CallState } from './calls.ts';

/** Whether everything that a query asks is so. `calls`: those that are owed now. */
export type Fits = (tx: Transaction, calls: Iterable<CallState>) => boolean;

/** Where the answer to a query is: in memory (open), in the log (finished), or in both. */
export type Where = 'open' | 'finished' | 'both';

/** Where to look; or why nobody needs to, in a sentence that says what to ask instead. */
export function whereToLook(
  query: TransactionQuery,
): { readonly ok: true; readonly where: Where } | { readonly ok: false; readonly detail: string } {
  const { outcome, phase, startedAfterMs = 0, startedBeforeMs } = query;
  if (startedBeforeMs !== undefined && startedBeforeMs <= startedAfterMs) {
    return refused('startedBeforeMs: must be later than startedAfterMs');
  }
  const ofPhase = phase === undefined ? undefined : outcomeOf(phase);
  if (outcome !== undefined && ofPhase !== undefined && outcome !== ofPhase) {
    return refused(`phase: '${phase}' contradicts outcome '${outcome}'; leave one of them out`);
  }
  const wanted = outcome ?? ofPhase;
  const ofOpen = openOnly.find((field) => query[field] !== undefined);
  if (ofOpen !== undefined && wanted !== undefined && wanted !== 'open') {
    return refused(`${ofOpen}: is known of open transactions only; ask with outcome=open`);
  }
  if (ofOpen !== undefined || wanted === 'open') return { ok: true, where: 'open' };
  return { ok: true, where: wanted === undefined ? 'both' : 'finished' };
}

const openOnly = ['service', 'method', 'error'] as const;

function refused(detail: string) {
  return { ok: false, detail } as const;
}

function outcomeOf(phase: Phase): NonNullable<TransactionQuery['outcome']> {
  return phase === 'committed' || phase === 'rolledBack' ? phase : 'open';
}

/** Made once for many transactions. */
export function fitsOf(query: TransactionQuery): Fits {
  const { mode, name, gid = '', phase, attention, service, method } = query;
  const { startedAfterMs = 0, startedBeforeMs = Number.POSITIVE_INFINITY } = query;
  const label = query.label === undefined ? null : parseLabel(query.label);
  const error = query.error?.toLowerCase();
  const needsBranch = service !== undefined || method !== undefined;
  return (tx, calls) => {
    if (mode !== undefined && tx.mode !== mode) return false;
    if (name !== undefined && tx.name !== name) return false;
    if (phase !== undefined && tx.phase !== phase) return false;
    if (!hasOutcome(tx, query)) return false;
    if (attention === true && tx.attention === null) return false;
    if (tx.startedAtMs < startedAfterMs || tx.startedAtMs >= startedBeforeMs) return false;
    if (!tx.gid.startsWith(gid)) return false;
    if (label !== null && tx.labels[label.key] !== label.value) return false;
    if (needsBranch && !owes(tx, service, method)) return false;
    return error === undefined || hasError(tx, calls, error);
  };
}

/** `key=value`; a key has no `=`. The schema has seen to it that there is one. */
export function parseLabel(label: string): { readonly key: string; readonly value: string } {
  const at = label.indexOf('=');
  return { key: label.slice(0, at), value: label.slice(at + 1) };
}

/** `open`: not finished yet; so are those that are asked for by what is known of these alone. */
function hasOutcome(tx: Transaction, query: TransactionQuery): boolean {
  const isOpen = tx.finishedAtMs === null;
  if (query.outcome === undefined)
    return isOpen || openOnly.every((each) => query[each] === undefined);
  if (query.outcome === 'open') return isOpen;
  return !isOpen && tx.phase === query.outcome;
}

/** An unfinished branch or step there. An address is asked for by how it begins: scheme, host, port. */
function owes(tx: Transaction, service: string | undefined, method: string | undefined): boolean {
  const isThere = (participant: Participant) => {
    if ('service' in participant) {
      if (service !== undefined && participant.service !== service) return false;
      return method === undefined || participant.method === method;
    }
    if (service === undefined || method !== undefined) return false;
    return participant.url === service || participant.url.startsWith(`${service}/`);
  };
  if (tx.mode === 'transaction') {
    return tx.branches.some((branch) => !branch.isFinished && isThere(branch.participant));
  }
  if (tx.phase !== 'rollingBack') {
    return tx.steps.some((step) => step.state === 'pending' && isThere(step.participant));
  }
  return tx.steps.some(
    (step) =>
      step.state !== 'undone' && tx.undo.includes(step.branchId) && isThere(step.participant),
  );
}

/** `error` is in small letters. */
function hasError(tx: Transaction, calls: Iterable<CallState>, error: string): boolean {
  const isIn = (text: string | null | undefined) => text?.toLowerCase().includes(error) === true;
  for (const { lastError } of calls) if (isIn(lastError)) return true;
  if (isIn(tx.attention?.detail) || isIn(tx.cause?.detail)) return true;
  return tx.mode === 'saga' && tx.steps.some(({ lastError }) => isIn(lastError));
}
