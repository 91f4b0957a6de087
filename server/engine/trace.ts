/**
 * Spans of the coordinator: one for each attempt at an operation, one for each phase once it is over.
 * All of them belong to the place that the transaction's begin brought, which its first record keeps,
 * so that a later term goes on in the same trace. Guards: nothing is decided by any of it, and spans
 * hold codes and names, never a payload, a result or the text of an error.
 */
import type {
  BeginRequest,
  BranchId,
  Call,
  CallAnswer,
  EpochMs,
  Mode,
  Operation,
  Participant,
  Phase,
  SpanAttributes,
  SpanEnd,
  SubmitRequest,
  Traceparent,
  Tracer,
  TraceSpan,
} from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../core/transaction.ts';
import { codeIn } from './question-answers.ts';

/** What is asked, and the how manieth time in this term. */
export interface Attempt {
  readonly branchId: BranchId;
  readonly operation: Operation;
  readonly participant: Participant;
  readonly attempt: number;
  /** Who asks for it; default: the begin. */
  readonly parent?: Traceparent | undefined;
}

/** Looks at what the engine does. */
export interface EngineTrace {
  /** The request with its place in a trace: one that brings none begins a trace here. */
  begun<Request extends BeginRequest | SubmitRequest>(mode: Mode, request: Request): Request;
  /** A call leaves; its span ends with {@link answered}. */
  called(tx: Transaction, attempt: Attempt): TraceSpan;
  answered(span: TraceSpan, answer: CallAnswer): void;
  /** A transaction has changed: phases that are over by now are shown. */
  changed(before: Transaction | null, after: Transaction): void;
}

/** Spans go to the tracer; nothing is kept here. */
export function createEngineTrace(tracer: Tracer): EngineTrace {
  return {
    begun(mode, request) {
      if (request.traceparent !== undefined) return request;
      const attributes = { 'settle.gid': request.gid, 'settle.mode': mode };
      const name = `settle.${mode} ${request.name ?? ''}`.trimEnd();
      const span = tracer.start(name, { kind: 'server', parent: null, attributes });
      // It only stands for the initiator, which makes no spans: there is nothing to be measured.
      span.end();
      const { traceparent } = span;
      return traceparent === undefined ? request : { ...request, traceparent };
    },
    called(tx, { branchId, operation, participant, attempt, parent }) {
      return tracer.start(`settle.call ${operation}`, {
        kind: 'client',
        parent: parent ?? tx.traceparent ?? null,
        attributes: {
          'settle.gid': tx.gid,
          'settle.mode': tx.mode,
          'settle.branch_id': branchId,
          'settle.operation': operation,
          'settle.attempt': attempt,
          ...addressOf(participant),
        },
      });
    },
    answered: (span, answer) => span.end(endOf(answer)),
    changed(before, after) {
      if (before === null || before.phase === after.phase) return;
      const { startedAtMs, decidedAtMs, finishedAtMs } = after;
      // Of what is over with its decision (nothing was owed) only the first phase is shown.
      const isFirst = before.phase === 'active' || decidedAtMs === null;
      const from = isFirst ? startedAtMs : decidedAtMs;
      const to = (isFirst ? decidedAtMs : finishedAtMs) ?? from;
      showPhase(tracer, after, { phase: before.phase, from, to });
    },
  };
}

/** By the times in the records, so that a phase which another term began has its true length. */
function showPhase(
  tracer: Tracer,
  tx: Transaction,
  { phase, from, to }: { readonly phase: Phase; readonly from: EpochMs; readonly to: EpochMs },
): void {
  const attributes = {
    'settle.gid': tx.gid,
    'settle.mode': tx.mode,
    'settle.phase': phase,
    ...(tx.cause === null ? {} : { 'settle.cause': tx.cause.kind }),
  };
  const parent = tx.traceparent ?? null;
  const how = { kind: 'internal', parent, attributes, startedAtMs: from } as const;
  // A clock that went back between two records would make a span end before it began.
  tracer.start(`settle.phase ${phase}`, how).end({ endedAtMs: Math.max(from, to) });
}

/** The call, in its trace, whoever of us looks at it. */
export function inTrace(call: Call, traceparent: Traceparent | undefined): Call {
  return traceparent === undefined ? call : { ...call, traceparent };
}

/** Only the origin of an address: the rest of it may hold secrets. */
function addressOf(participant: Participant): SpanAttributes {
  if ('service' in participant) {
    return { 'settle.service': participant.service, 'settle.method': participant.method };
  }
  const url = URL.parse(participant.url);
  return { 'server.address': url === null ? 'unknown' : url.origin };
}

function endOf(answer: CallAnswer): SpanEnd {
  const attributes = { 'settle.outcome': answer.outcome };
  switch (answer.outcome) {
    case 'done':
    case 'ongoing':
      return { attributes };
    case 'refused':
      return { attributes, error: codeIn(answer.error) ?? 'REFUSED' };
    case 'unknown':
      return { attributes, error: codeIn(answer.error) ?? 'UNKNOWN' };
    default:
      return answer satisfies never;
  }
}
