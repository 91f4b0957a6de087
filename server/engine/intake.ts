/** From requests to events: defaults, content hashes, and whether new work may come in at all. */
import type {
  BeginRequest,
  Participant,
  RegisterRequest,
  SubmitRequest,
} from '../../client-sdk/protocol/index.ts';
import type { TxEvent } from '../core/event.ts';
import { hashText } from '../runtime/hash.ts';
import type { Refusal } from './coordinator.ts';
import type { EngineOptions } from './limits.ts';

type EventOf<K extends TxEvent['kind']> = Extract<TxEvent, { kind: K }>;
type Stamp = Pick<TxEvent, 'atMs' | 'epoch'>;

/** The event of a begin. Two begins are the same when their content hashes are. */
export function beginEvent(
  request: BeginRequest,
  options: EngineOptions,
  stamp: Stamp,
): EventOf<'begin'> {
  const { gid, name = '', labels = {}, branches = [], traceparent } = request;
  const timeoutMs = request.timeoutMs ?? options.transactionTimeoutMs;
  const content = hashText(JSON.stringify(['transaction', name, timeoutMs, labels, branches]));
  return {
    kind: 'begin',
    gid,
    name,
    content,
    labels,
    timeoutMs,
    traceparent,
    branches,
    ...stamp,
  };
}

/** The event of a submit. A saga has no deadline unless it asks for one. */
export function submitEvent(request: SubmitRequest, stamp: Stamp): EventOf<'submit'> {
  const { gid, name, labels = {}, input = null, steps, traceparent } = request;
  const timeoutMs = request.timeoutMs ?? null;
  const content = hashText(JSON.stringify(['saga', name, timeoutMs, labels, input, steps]));
  return {
    kind: 'submit',
    gid,
    name,
    content,
    labels,
    timeoutMs,
    traceparent,
    input,
    steps,
    ...stamp,
  };
}

/** The event of a register. */
export function registerEvent(request: RegisterRequest, stamp: Stamp): EventOf<'register'> {
  const { branches } = request;
  const content = hashText(JSON.stringify(branches));
  return { kind: 'register', request: request.request, content, branches, ...stamp };
}

/** Participants that no transport reaches are refused before anything is stored. */
export function checkTargets(
  participants: readonly { readonly participant: Participant }[],
  reaches: (participant: Participant) => boolean,
): Refusal | null {
  const lost = participants.find(({ participant }) => !reaches(participant));
  if (lost === undefined) return null;
  const where =
    'url' in lost.participant ? originOf(lost.participant.url) : lost.participant.service;
  return { ok: false, code: 'TARGET_NOT_ALLOWED', detail: `${where} is not in the allow-list` };
}

/** Only the origin: a URL may carry secrets in its other parts. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'the url';
}
