/**
 * Spans of the SDK: of the initiator's work and requests, of what a participant is asked. Without a
 * tracer nothing of this file runs. Guards: a span changes neither what the work gives nor what it
 * throws, and of an error it shows the code alone.
 */
import type { Channel } from './channel/channel.ts';
import { RetryableError, SettleError, TerminalError } from './errors.ts';
import type { Method } from './participant/host.ts';
import {
  type Call,
  type CallAnswer,
  type ChannelVerb,
  isErrorCode,
  isSameTrace,
  isTraceparent,
  type SpanAttributes,
  type SpanEnd,
  type SpanStart,
  type Tracer,
  type TraceSpan,
} from './protocol/index.ts';

/** A span to be. */
export interface SpanOf extends Omit<SpanStart, 'parent'> {
  readonly name: string;
  /** Default `active`. */
  readonly parent?: SpanStart['parent'];
}

/** Runs the work as this span, which ends when the work does. */
export async function inSpan<T>(
  tracer: Tracer,
  { name, parent = 'active', ...how }: SpanOf,
  work: (span: TraceSpan) => T | Promise<T>,
): Promise<T> {
  const span = tracer.start(name, { ...how, parent });
  try {
    const value = await span.run(() => work(span));
    span.end();
    return value;
  } catch (error) {
    span.end({ error: codeOf(error) });
    throw error;
  }
}

/**
 * The parent of what came from elsewhere: the running code, when whoever traces HTTP here has put it
 * into the same trace already, or when nothing came along.
 */
export function parentOf(tracer: Tracer, came: unknown): SpanStart['parent'] {
  if (!isTraceparent(came)) return 'active';
  const active = tracer.active();
  return active !== undefined && isSameTrace(active, came) ? 'active' : came;
}

/** Requests that are worth a span; the others are looks, or are repeated all the time. */
const spanVerbs: ReadonlySet<ChannelVerb> = new Set<ChannelVerb>([
  'begin',
  'register',
  'try',
  'decide',
  'submit',
  'get',
]);

/** The same channel; its requests, over all their repetitions, are spans. */
export function tracedRequests(
  channel: Pick<Channel, 'request'>,
  tracer: Tracer,
): Pick<Channel, 'request'> {
  return {
    request(verb, body, options) {
      if (!spanVerbs.has(verb)) return channel.request(verb, body, options);
      const name = `settle.${'direction' in body ? body.direction : verb}`;
      const kind = 'client';
      return inSpan(tracer, { name, kind, attributes: attributesOf(body) }, ({ traceparent }) => {
        // What the participant does belongs to this request; for the rest the begin says it.
        const isPassedOn = verb === 'try' && traceparent !== undefined;
        return channel.request(verb, isPassedOn ? { ...body, traceparent } : body, options);
      });
    },
  };
}

function attributesOf(body: object): SpanAttributes {
  return {
    ...('gid' in body && typeof body.gid === 'string' ? { 'settle.gid': body.gid } : {}),
    ...('branchId' in body && typeof body.branchId === 'number'
      ? { 'settle.branch_id': body.branchId }
      : {}),
    ...('branches' in body && Array.isArray(body.branches)
      ? { 'settle.branches': body.branches.length }
      : {}),
  };
}

/** The same method; what it is asked to do is a span, inside of which its handler runs. */
export function tracedMethod(method: Method, tracer: Tracer | null): Method {
  if (tracer === null) return method;
  return { ...method, handle: (call) => handled(method, call, tracer) };
}

async function handled(method: Method, call: Call, tracer: Tracer): Promise<CallAnswer> {
  const { gid, branchId, operation, traceparent } = call;
  if (questions.has(operation)) return method.handle(call);
  // A try that runs where its caller is comes from nowhere else.
  const isLocal = traceparent === undefined && operation === 'try';
  const span = tracer.start(`settle.${operation} ${method.name}`, {
    kind: isLocal ? 'internal' : 'server',
    parent: parentOf(tracer, traceparent),
    attributes: {
      'settle.gid': gid,
      'settle.branch_id': branchId,
      'settle.operation': operation,
      'settle.method': method.name,
    },
  });
  const answer = await span.run(() => method.handle(call));
  span.end(endOf(answer));
  return answer;
}

/** They are no part of any transaction's course. */
const questions: ReadonlySet<Call['operation']> = new Set<Call['operation']>([
  'inspect',
  'resolve',
  'locks',
  'health',
]);

function endOf(answer: CallAnswer): SpanEnd {
  const attributes = { 'settle.outcome': answer.outcome };
  if (answer.outcome === 'done' || answer.outcome === 'ongoing') return { attributes };
  const [, code = ''] = /^([A-Z_]+): /.exec(answer.error) ?? [];
  const fallback = answer.outcome === 'refused' ? 'REFUSED' : 'UNKNOWN';
  return { attributes, error: isErrorCode(code) ? code : fallback };
}

/** Of foreign errors the class: their messages may hold anything. */
function codeOf(error: unknown): string {
  if (error instanceof SettleError) return error.code;
  if (error instanceof TerminalError) return 'REFUSED';
  if (error instanceof RetryableError) return 'ONGOING';
  return error instanceof Error ? error.name : typeof error;
}
