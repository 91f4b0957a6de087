/**
 * Whether participants are there: each instance of a service, and each address of an open transaction,
 * is asked one cheap question. Guards: nothing of a transaction is touched, only addresses that are in
 * use are called, and whoever is silent is said to be silent, never to have failed.
 */
import {
  type Call,
  type CallAnswer,
  instanceMethod,
  type PingAnswer,
  type PingRequest,
  type PingView,
} from '../../client-sdk/protocol/index.ts';
import type { Answer, Coordinator } from '../engine/coordinator.ts';
import type { Clock } from '../runtime/clock.ts';
import { askInstances, graceMs, timed } from './instances.ts';
import type { Channel } from './participants.ts';

/** How addresses are called; null where none may be. */
export interface Callbacks {
  call(
    participant: { readonly url: string },
    call: Call,
    timeoutMs: number,
    answered: (answer: CallAnswer) => void,
  ): void;
}

/** What it needs. */
export interface PingPorts {
  readonly clock: Clock;
  readonly coordinator: Pick<Coordinator, 'openParticipants' | 'owed'>;
  readonly channel: Channel;
  readonly callbacks: Callbacks | null;
}

const timeoutMsDefault = 2_000;
/** Instances and addresses of one request. */
const pingedMax = 1_000;

/** A question to a process about itself. */
export function instanceCall(operation: 'ping' | 'holders', payload: Call['payload']): Call {
  return { gid: '-', branchId: 1, operation, method: instanceMethod, payload };
}

/** Asks them all at once, and answers when the last one has, or is given up. NOT_FOUND: no such name. */
export async function ping(
  ports: PingPorts,
  { name, timeoutMs = timeoutMsDefault }: PingRequest,
): Promise<Answer<PingAnswer>> {
  const { services, addresses } = namesOf(ports);
  const all = [...services, ...addresses].sort();
  const wanted = name === undefined ? all : all.filter((known) => known === name);
  if (name !== undefined && wanted.length === 0) {
    const detail = `no service ${name} is connected or owes anything, and no open transaction has such an address`;
    return { ok: false, code: 'NOT_FOUND', detail };
  }
  const asked: Promise<PingView>[] = [];
  let left = 0;
  for (const one of wanted) {
    if (asked.length >= pingedMax) left += 1;
    else if (services.has(one)) asked.push(...askService(ports, one, timeoutMs));
    else asked.push(askAddress(ports, one, timeoutMs));
  }
  return { ok: true, body: { pings: await Promise.all(asked), left } };
}

function namesOf({ channel, coordinator }: PingPorts) {
  const services = new Set([
    ...channel.participants().map(({ service }) => service),
    ...coordinator.owed().map(({ service }) => service),
    ...channel.drained(),
  ]);
  const addresses = new Set<string>();
  for (const { participant } of coordinator.openParticipants()) {
    if ('url' in participant) addresses.add(participant.url);
    else services.add(participant.service);
  }
  return { services, addresses };
}

function askService(ports: PingPorts, name: string, timeoutMs: number): Promise<PingView>[] {
  const asked = askInstances(ports, name, instanceCall('ping', null), timeoutMs);
  if (asked.length === 0) {
    const detail = 'no instance is connected';
    return [Promise.resolve(viewOf({ name, instance: null }, 'unreachable', detail))];
  }
  return asked.map(async (one) => {
    const { instance, answer, tookMs } = await one;
    return judged({ name, instance }, answer, { tookMs, timeoutMs });
  });
}

async function askAddress(ports: PingPorts, url: string, timeoutMs: number): Promise<PingView> {
  const { clock, callbacks } = ports;
  const who = { name: url, instance: null };
  if (callbacks === null) {
    return viewOf(who, 'unreachable', 'the allow-list of callbacks is empty');
  }
  // An address has no instance: its method is the path, as in every other call.
  const call = { ...instanceCall('ping', null), method: '' };
  const { answer, tookMs } = await timed<CallAnswer>(clock, timeoutMs, (answered) => {
    callbacks.call({ url }, call, timeoutMs + graceMs, answered);
  });
  return judged(who, answer, { tookMs, timeoutMs });
}

type Who = Pick<PingView, 'name' | 'instance'>;

interface Took {
  readonly tookMs: number;
  readonly timeoutMs: number;
}

function judged(who: Who, answer: CallAnswer | null, { tookMs, timeoutMs }: Took): PingView {
  if (answer === null) return viewOf(who, 'noAnswer', `no answer in ${timeoutMs} ms`);
  const roundTripMs = Math.round(tookMs * 100) / 100;
  switch (answer.outcome) {
    case 'done': {
      const version = versionIn(answer);
      if (version === null) return old(who, roundTripMs, 'it answered something else');
      return { ...viewOf(who, 'answered', null), roundTripMs, version };
    }
    case 'ongoing':
      return old(who, roundTripMs, 'it answered something else');
    case 'refused':
      return old(who, roundTripMs, answer.error);
    case 'unknown':
      if (isFromIt(answer)) return old(who, roundTripMs, answer.error);
      return viewOf(who, answer.asked === false ? 'unreachable' : 'noAnswer', answer.error);
    default:
      return answer satisfies never;
  }
}

/** Of an older SDK, of one that is busy, or a status of HTTP: somebody has answered. */
function isFromIt({ error, asked }: Extract<CallAnswer, { outcome: 'unknown' }>): boolean {
  const isBusy = asked === false && / takes \d+ calls at once$/.test(error);
  return isBusy || /^(METHOD_NOT_OFFERED: this instance|HTTP \d{3}\b)/.test(error);
}

function old(who: Who, roundTripMs: number, said: string): PingView {
  const detail = `it is there, but does not know this question (${said}): its SDK is older, or it has none`;
  return { ...viewOf(who, 'unsupported', detail), roundTripMs };
}

function viewOf(who: Who, outcome: PingView['outcome'], detail: string | null): PingView {
  return { ...who, outcome, roundTripMs: null, version: null, detail };
}

/** The parse boundary: whoever answers may be anybody. */
function versionIn({ result }: Extract<CallAnswer, { outcome: 'done' }>): string | null {
  if (result === null || typeof result !== 'object' || !('version' in result)) return null;
  const { version } = result;
  return typeof version === 'string' ? version.slice(0, 64) : null;
}
