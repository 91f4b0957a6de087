/** What operators look at: one transaction, the whole, participants, nodes, the log, the settings. */
import type { Answer } from '../engine/coordinator.ts';
import { type Route, route } from './route.ts';

const looking = ['viewer', 'operator'] as const;
const one = '/v1/transactions/{gid}';

/** The routes. */
export function lookoutRoutes(): readonly Route[] {
  return [
    ...transactionLooks(),
    ...participantRoutes(),
    ...lockRoutes(),
    ...placeRoutes(),
    ...logRoutes(),
  ];
}

function transactionLooks(): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: `${one}/timeline`,
      summary: 'All records of a transaction in words, oldest first, without payloads.',
      verb: 'timeline',
      roles: looking,
      answer: 'TimelineAnswer',
      ask: ({ lookout }, { gid }) => lookout.timeline(gid),
    }),
    route({
      method: 'GET',
      path: `${one}/explanation`,
      summary: 'Why a transaction is where it is, what comes next, and what an operator can do.',
      verb: 'explanation',
      roles: looking,
      answer: 'Explanation',
      ask: ({ lookout }, { gid }) => lookout.explanation(gid),
    }),
    route({
      method: 'GET',
      path: '/v1/overview',
      summary: 'Rates and times of the last five minutes, and what is open.',
      verb: 'overview',
      roles: looking,
      answer: 'OverviewView',
      ask: ({ lookout }) => given(lookout.overview()),
    }),
  ];
}

function participantRoutes(): readonly Route[] {
  const service = '/v1/participants/{service}';
  return [
    route({
      method: 'GET',
      path: '/v1/participants',
      summary: 'Services that are connected, owe something, or are drained.',
      verb: 'participants',
      roles: looking,
      answer: 'ParticipantsAnswer',
      ask: ({ lookout }) => given(lookout.participants()),
    }),
    route({
      method: 'GET',
      path: '/v1/participants/ping',
      summary: 'Ask each instance of a service, or of all, whether it is there. Changes nothing.',
      verb: 'ping',
      roles: looking,
      answer: 'PingAnswer',
      ask: ({ lookout }, request) => lookout.ping(request),
    }),
    route({
      method: 'POST',
      path: `${service}/drain`,
      summary: 'No new calls to a service until it is undrained, or the coordinator starts again.',
      verb: 'drain',
      roles: ['operator'],
      isLogged: true,
      answer: 'DrainAnswer',
      ask: ({ lookout, who }, request) => lookout.drain(request, true, who),
    }),
    route({
      method: 'POST',
      path: `${service}/undrain`,
      summary: 'Calls to a service again.',
      verb: 'undrain',
      roles: ['operator'],
      isLogged: true,
      answer: 'DrainAnswer',
      ask: ({ lookout, who }, request) => lookout.drain(request, false, who),
    }),
  ];
}

function lockRoutes(): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/locks/graph',
      summary: 'Who waits for whom for locks, over all databases, at this moment.',
      verb: 'lockGraph',
      roles: looking,
      answer: 'LockGraphAnswer',
      async ask({ lookout }) {
        return given(await lookout.lockGraph());
      },
    }),
  ];
}

function placeRoutes(): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/nodes',
      summary: 'Coordinators of this log that are known to serve: this one.',
      verb: 'nodes',
      roles: looking,
      answer: 'NodesAnswer',
      ask: ({ lookout }) => given(lookout.nodes()),
    }),
    route({
      method: 'GET',
      path: '/v1/shards',
      summary: 'Slices of the log, who owns them, and what is open in each.',
      verb: 'shards',
      roles: looking,
      answer: 'ShardsAnswer',
      ask: ({ lookout }) => given(lookout.shards()),
    }),
    route({
      method: 'GET',
      path: '/v1/config',
      summary: 'Every setting and where it came from; secrets are hidden.',
      verb: 'config',
      roles: looking,
      answer: 'ConfigView',
      ask: ({ lookout }) => given(lookout.config()),
    }),
  ];
}

function logRoutes(): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/log',
      summary: 'The log at a glance.',
      verb: 'log',
      roles: looking,
      answer: 'LogView',
      ask: ({ lookout }) => given(lookout.log()),
    }),
    route({
      method: 'GET',
      path: '/v1/log/verify',
      summary: 'Reads records back, a page of transactions at a time, and tells what is wrong.',
      verb: 'verifyLog',
      roles: looking,
      answer: 'LogVerdict',
      ask: ({ lookout }, request) => lookout.verifyLog(request),
    }),
  ];
}

function given<T>(body: T): Promise<Answer<T>> {
  return Promise.resolve({ ok: true, body });
}
