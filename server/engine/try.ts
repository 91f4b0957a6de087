/**
 * Passing a try on: the initiator asks, the coordinator calls the participant over its channel. No
 * record comes of it, for the branch is registered already and the initiator decides by the answer.
 */
import type { CallAnswer, TryAnswer, TryRequest } from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../core/transaction.ts';
import type { Calls } from './calls.ts';
import type { Answer, Answered, Refusal } from './coordinator.ts';
import { type EngineTrace, inTrace } from './trace.ts';

/** Asks once. A time-out answers UNKNOWN: the try may still happen, until its cancel comes. */
export function passTry(
  tx: Transaction,
  { branchId, traceparent }: Omit<TryRequest, 'gid'>,
  { calls, trace }: { readonly calls: Calls; readonly trace: EngineTrace | null },
  answered: Answered<TryAnswer>,
): void {
  if (tx.mode !== 'transaction') return answered(no('WRONG_MODE', 'a saga has no tries'));
  if (tx.phase === 'committing' || tx.phase === 'committed') {
    return answered(no('ALREADY_COMMITTED', `the transaction is ${tx.phase}`));
  }
  if (tx.phase !== 'active') {
    return answered(no('ALREADY_ROLLED_BACK', `the transaction is ${tx.phase}`));
  }
  const branch = tx.branches.find((candidate) => candidate.branchId === branchId);
  if (branch === undefined) return answered(no('NOT_FOUND', `there is no branch ${branchId}`));
  const { kind, participant, payload } = branch;
  if (kind !== 'tcc') {
    const detail = `branch ${branchId} is of kind ${kind}, which has no try`;
    return answered(no('INVALID_REQUEST', detail));
  }
  const method = 'method' in participant ? participant.method : '';
  const call = { gid: tx.gid, branchId, operation: 'try' as const, method, payload };
  const attempt = { branchId, operation: 'try', participant, attempt: 1 } as const;
  const span = trace?.called(tx, { ...attempt, parent: traceparent }) ?? null;
  const asked = inTrace(call, span?.traceparent ?? traceparent ?? tx.traceparent);
  calls.ask(participant, asked, (answer) => {
    if (span !== null) trace?.answered(span, answer);
    answered(toTryAnswer(answer));
  });
}

function toTryAnswer(answer: CallAnswer): Answer<TryAnswer> {
  switch (answer.outcome) {
    case 'done':
      return { ok: true, body: { result: answer.result } };
    case 'refused':
      return no('REFUSED', answer.error);
    case 'ongoing':
      return no('ONGOING', 'the try is still going on');
    case 'unknown':
      return no(answer.asked === false ? 'METHOD_NOT_OFFERED' : 'UNKNOWN', answer.error);
    default:
      return answer satisfies never;
  }
}

function no(code: Refusal['code'], detail: string): Refusal {
  return { ok: false, code, detail };
}
