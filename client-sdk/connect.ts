/**
 * `connect`: checks the settings, opens the channel, and joins the parts of the SDK to the one
 * object that its user holds. No behaviour of its own beyond that.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type ChannelOptions, openChannel } from './channel/channel.ts';
import type { Client } from './client.ts';
import { runInScope } from './context.ts';
import { SettleError } from './errors.ts';
import { joinTransaction } from './join.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { Database } from './participant/databases/detect.ts';
import { createHost } from './participant/host.ts';
import type { TccDefinition } from './participant/method.ts';
import { pong } from './participant/pong.ts';
import { isName, limits, type Tracer } from './protocol/index.ts';
import { defineResource } from './resource/at.ts';
import { WaitWatch } from './resource/waits-watch.ts';
import { runSaga } from './run.ts';
import { type AnySagaOptions, defineSaga, defineStep } from './saga.ts';
import type { Settle } from './settle.ts';
import { tracedRequests } from './spans.ts';
import { defineRemote, defineTcc } from './tcc.ts';
import { runTransaction } from './transaction.ts';

/** Settings of a client. */
export interface ConnectOptions {
  /** Address of the coordinator, `http://…` or `https://…`; a path in front of `/channel` is kept. */
  readonly url: string;
  /** Name of this service: its methods are offered under it. */
  readonly service: string;
  /** Of role `service`, when the coordinator takes tokens only. Never logged. */
  readonly token?: string;
  /** Name of this process among those of the service; default: host name, pid and a random part. */
  readonly instance?: string;
  /** Calls that this process takes at once: 0..65,536, default 256. */
  readonly callsMax?: number;
  /** How long a request is repeated until its outcome is UNKNOWN or UNREACHABLE; default 30,000. */
  readonly requestTimeoutMs?: number;
  /** A pino logger, or one like it; default: silent. */
  readonly logger?: Logger;
  /** Where spans go, such as `openTelemetryTracer()`; default: none are made. */
  readonly tracer?: Tracer;
}

/** What is the same for every user; tests make it shorter. */
export interface ConnectTuning
  extends Pick<ChannelOptions, 'silenceMsMax' | 'backoff' | 'drainMsMax'> {
  readonly welcomeMsMax: number;
}

const tuningDefault: ConnectTuning = {
  // The server pings every few seconds; a line that is silent for so long is dead.
  silenceMsMax: 20_000,
  backoff: { minMs: 100, maxMs: 5_000 },
  drainMsMax: 5_000,
  welcomeMsMax: 10_000,
};

/**
 * Connects to a coordinator, and from then on reconnects by itself until `close`. Waits for the
 * first welcome up to 10 s, then rejects with UNREACHABLE and keeps nothing. INVALID_CONFIG when a
 * setting cannot be used.
 */
export function connect(options: ConnectOptions): Promise<Settle> {
  return connectTuned(options, tuningDefault);
}

/** As {@link connect}, with other times. */
export async function connectTuned(
  options: ConnectOptions,
  tuning: ConnectTuning,
): Promise<Settle> {
  const { service, logger = silentLogger } = options;
  const { instance = instanceName() } = options;
  const requestTimeoutMs = atLeast('requestTimeoutMs', options.requestTimeoutMs ?? 30_000, 1);
  const callsMax = atLeast('callsMax', options.callsMax ?? 256, 0);
  if (callsMax > 65_536) throw invalid('callsMax', `${callsMax}; at most 65536 is possible`);
  for (const [setting, name] of Object.entries({ service, instance })) {
    if (!isName(name)) throw invalid(setting, `"${name}"; it takes ${limits.namePattern}`);
  }
  const url = channelUrl(options.url);
  const host = createHost();
  const { tracer = null } = options;
  const own = { ...tuning, url, token: options.token, service, instance, callsMax };
  const open = () => openChannel(own, host, logger);
  // Outside of any scope: calls that arrive later would otherwise inherit the one of this moment.
  const channel = runInScope(undefined, () => (tracer === null ? open() : tracer.outside(open)));
  try {
    await channel.ready(tuning.welcomeMsMax);
  } catch (error) {
    await channel.close();
    throw error;
  }
  const waits = new WaitWatch({ channel, logger });
  host.know('ping', pong);
  host.know('holders', (payload) => waits.holders(payload));
  const asking = tracer === null ? channel : tracedRequests(channel, tracer);
  const settings = { host, service, requestTimeoutMs, logger, tracer };
  const client: Client = { ...settings, channel: asking, waits };
  return settleOf(client, { instance, channel, welcomeMsMax: tuning.welcomeMsMax });
}

interface Connected {
  readonly instance: string;
  readonly channel: ReturnType<typeof openChannel>;
  readonly welcomeMsMax: number;
}

function settleOf(client: Client, { instance, channel, welcomeMsMax }: Connected): Settle {
  const timeouts = { timeoutMs: client.requestTimeoutMs };
  return {
    service: client.service,
    instance,
    get isConnected() {
      return channel.isConnected;
    },
    ready: () => channel.ready(welcomeMsMax),
    close: channel.close,
    [Symbol.asyncDispose]: channel.close,
    tcc: <Sent, Input, Result, Db extends Database | undefined>(
      name: string,
      definition: TccDefinition<Db, Input, Result>,
    ) => defineTcc<Db, Sent, Input, Result>(client, name, definition),
    remote: (participant) => defineRemote(client, participant),
    at: (db, options) => defineResource(client, db, options),
    transaction: (options, callback) => runTransaction(client, options, callback),
    globalLock: (work) => runTransaction(client, { name: 'global lock' }, () => work()),
    join: (from, work) => joinTransaction(client, from, work),
    saga: <Sent, Input, Db extends Database | undefined>(
      name: string,
      options: AnySagaOptions<Db, Sent, Input> = {},
    ) => defineSaga<Sent, Input, Db>(client, name, options),
    step: (name, definition) => defineStep(client, name, definition),
    run: (saga, input, options = {}) => runSaga(client, saga, input, options),
    get: (gid) => client.channel.request('get', { gid }, timeouts),
    list: (filter = {}) => client.channel.request('list', filter, timeouts),
    rollback(gid, reason) {
      const more = reason === undefined ? {} : { reason: reason.slice(0, limits.detailLengthMax) };
      const body = { gid, direction: 'rollback', wait: 'decided', ...more } as const;
      return client.channel.request('decide', body, timeouts);
    },
  };
}

/** Host, process, and a random part: process ids come back after a restart of a container. */
function instanceName(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9.-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 64);
  return `${host || 'host'}-${process.pid}-${randomUUID().slice(0, 8)}`;
}

function channelUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const protocol = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' }[
    url?.protocol ?? ''
  ];
  if (url === null || protocol === undefined) {
    throw invalid('url', `"${text}"; it takes an address like http://127.0.0.1:7400`);
  }
  return `${protocol}//${url.host}${url.pathname.replace(/\/$/, '')}/channel`;
}

function atLeast(name: string, value: number, min: number): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw invalid(name, `${value}; it takes an integer of at least ${min}`);
}

function invalid(name: string, what: string): SettleError {
  return new SettleError('INVALID_CONFIG', `connect: ${name} is ${what}`);
}
