/**
 * Wires one coordinator: configuration → log → transports → engine → HTTP and channel. The only file
 * that knows all the parts. It guards the order of things: the port is taken before the log (so that
 * a second start on the same machine ends nobody's term), and at the end the engine drains before the
 * connections that its answers come through are closed.
 */
import type { Tracer } from '../client-sdk/protocol/index.ts';
import { type Access, createAccess } from './api/access.ts';
import { createApp } from './api/app.ts';
import { attachChannel } from './api/channel.ts';
import { type Listener, listen } from './api/listen.ts';
import { createValidators } from './api/schemas.ts';
import { type Config, configView, type Origins } from './config.ts';
import { createAudit } from './desk/audit.ts';
import { createDesk, type Desk } from './desk/desk.ts';
import { createDoctor } from './desk/doctor.ts';
import { createLookout } from './desk/lookout.ts';
import { certificateEnd } from './dispatch/certificate.ts';
import { type ChannelTransport, createChannelTransport } from './dispatch/channel-transport.ts';
import type { HttpTransport } from './dispatch/http-transport.ts';
import { createTargetPolicy } from './dispatch/target-policy.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import { type EngineOptions, engineDefaults } from './engine/limits.ts';
import { examineLog } from './log/examine.ts';
import { openLog } from './log/index.ts';
import type { TransactionLog } from './log/log.ts';
import { logFailure } from './log/schema.ts';
import type { createLogger } from './observe/log.ts';
import { throttled } from './observe/throttle.ts';
import { type Clock, systemClock } from './runtime/clock.ts';
import { Failure } from './runtime/failure.ts';
import { newGid } from './runtime/id.ts';
import { isLoopback } from './runtime/loopback.ts';
import { systemRandom } from './runtime/random.ts';
import { readTokens } from './token-file.ts';
import { version } from './version.ts';

/** Where the parts write what an operator should know. */
export type Logger = ReturnType<typeof createLogger>;

/** A coordinator that serves. */
export interface RunningServer {
  readonly address: { readonly host: string; readonly port: number };
  /** Such as http://127.0.0.1:7400. */
  readonly url: string;
  /** Resolves with `fenced` when another coordinator has taken the log over; then stop this one. */
  readonly fenced: Promise<'fenced'>;
  /**
   * Takes no new work, lets work in flight end for at most `stopGraceMs`, ends the term, and closes
   * everything. Never rejects; safe to repeat.
   */
  stop(): Promise<void>;
}

/**
 * Starts a coordinator and resolves once it serves. Throws Failure: LOG_NOT_WRITABLE,
 * LOG_UNAVAILABLE, SCHEMA_MISSING, SCHEMA_NEWER, PORT_TAKEN, INVALID_CONFIG (an address that cannot
 * be listened on; `tracing` without its package). After a throw nothing is left open.
 */
export async function startServer(
  config: Config,
  ports: { readonly logger: Logger; readonly origins?: Origins },
): Promise<RunningServer> {
  const { logger } = ports;
  const clock = systemClock();
  const access = accessOf(config, clock);
  const callbacks = await callbackTransports(config, clock);
  const tracer = config.tracing ? await tracerOf() : undefined;
  const warnOfLog = throttled(clock, (detail: string, more: number) =>
    logger.warn({ detail, more }, 'the log did not take an append; it is sent again'),
  );
  const log = await openLog(config.log.reveal(), {
    migrate: config.migrate,
    onTrouble: (failure) => warnOfLog(failure.detail),
  });
  const { origins = {} } = ports;
  const seen = { logger, tracer, origins };
  const parts = createParts(config, { clock, log, callbacks, access, ...seen });
  try {
    await parts.listener.open(config.host, config.port);
    await takeOver(parts.engine, config, parts.listener.url());
  } catch (error) {
    await closeAll(parts, log);
    throw error;
  }
  logger.info({ url: parts.listener.url(), log: String(config.log) }, 'the coordinator serves');
  return runningServer(config, { ...parts, log, logger });
}

interface Parts {
  readonly engine: Engine;
  readonly channel: ReturnType<typeof attachChannel>;
  readonly listener: Listener;
  readonly transports: readonly { close(): Promise<void> }[];
  readonly fenced: Promise<'fenced'>;
}

/** Loaded only where addresses may be called: the HTTP client takes as long to load as all the rest. */
async function callbackTransports(config: Config, clock: Clock): Promise<readonly HttpTransport[]> {
  if (config.allowCallbacks.length === 0) return [];
  const { createHttpTransport } = await import('./dispatch/http-transport.ts');
  return [createHttpTransport({ policy: createTargetPolicy(config.allowCallbacks), clock })];
}

/** Loaded only where it is wanted: its package is the user's to install. */
async function tracerOf(): Promise<Tracer> {
  try {
    const { openTelemetryTracer } = await import('../client-sdk/opentelemetry.ts');
    return openTelemetryTracer();
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error;
    if (!isMissing || error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const how = 'install it beside the server: `npm install @opentelemetry/api`';
    throw new Failure('INVALID_CONFIG', `tracing needs the package @opentelemetry/api: ${how}.`);
  }
}

function createParts(
  config: Config,
  ports: {
    readonly clock: Clock;
    readonly log: TransactionLog;
    readonly logger: Logger;
    readonly callbacks: readonly HttpTransport[];
    readonly access: Access;
    readonly tracer: Tracer | undefined;
    readonly origins: Origins;
  },
): Parts {
  const { clock, log, logger, callbacks, access, tracer, origins } = ports;
  const random = systemRandom();
  const fenced = Promise.withResolvers<'fenced'>();
  const channelTransport = createChannelTransport({
    clock,
    offered: (service) => engine.participantReady(service),
  });
  const transports = [channelTransport, ...callbacks];
  const options = engineOptions(config);
  const onFenced = () => fenced.resolve('fenced');
  const engine = createEngine({ clock, random, log, transports, options, tracer, onFenced });
  const validators = createValidators();
  const participants = () => channelTransport.participants();
  const desk = deskOf(config, { clock, log, engine, access, participants });
  const lookout = createLookout({
    ...{ clock, log, desk, coordinator: engine, channel: channelTransport },
    callbacks: callbacks[0] ?? null,
    retry: options.retry,
    node: {
      node: config.node,
      version,
      startedAtMs: clock.nowMs(),
      address: () => listener.url(),
    },
    logUrl: String(config.log),
    config: configView(config, origins),
  });
  const app = createApp({
    coordinator: engine,
    desk,
    lookout,
    validators,
    access,
    isReadOnly: config.readOnly,
    connectedServices: () => countByService(channelTransport),
    callsQueued: () => ({
      channel: channelTransport.queued(),
      http: callbacks.reduce((sum, transport) => sum + transport.queued(), 0),
    }),
    newGid: () => newGid(clock.nowMs()),
    logger,
  });
  const listener = listen(app, clock);
  const channel = attachChannel(app.server, {
    coordinator: engine,
    validators,
    access,
    attach: (connection) => channelTransport.attach(connection),
    node: config.node,
    clock,
    log: logger,
  });
  return { engine, channel, listener, transports, fenced: fenced.promise };
}

/** What operators do, and the doctor that they ask. */
function deskOf(
  config: Config,
  ports: {
    readonly clock: Clock;
    readonly log: TransactionLog;
    readonly engine: Engine;
    readonly access: Access;
    readonly participants: ChannelTransport['participants'];
  },
): Desk {
  const { clock, log, engine, access, participants } = ports;
  const term = () => ({ node: config.node, epoch: engine.stats().epoch });
  const audit = createAudit({ clock, log, term });
  const doctor = createDoctor({
    clock,
    coordinator: engine,
    audit,
    log: () => examineLog(config.log.reveal(), clock),
    connected: participants,
    door: { ...config, needsTokens: access.isClosed },
    certificateEnd,
  });
  return createDesk({ coordinator: engine, audit, isReadOnly: config.readOnly, doctor });
}

function engineOptions(config: Config): EngineOptions {
  return {
    ...engineDefaults,
    transactionTimeoutMs: config.transactionTimeoutMs,
    callTimeoutMs: config.callTimeoutMs,
    retry: { initialMs: config.retryInitialMs, capMs: config.retryMaxMs },
    attentionAfterAttempts: config.attentionAfterAttempts,
    attentionAfterMs: config.attentionAfterMs,
    openTransactionsMax: config.openTransactionsMax,
    pendingRowsMax: config.pendingRowsMax,
    recoveryPerSecond: config.recoveryPerSecond,
  };
}

async function takeOver(engine: Engine, config: Config, url: string): Promise<void> {
  try {
    await engine.start(config.node, url);
  } catch (error) {
    throw logFailure(String(config.log), error);
  }
}

function runningServer(
  config: Config,
  parts: Parts & { readonly log: TransactionLog; readonly logger: Logger },
): RunningServer {
  const { engine, listener, logger } = parts;
  const url = listener.url();
  const fenced = parts.fenced.then((word) => {
    logger.fatal('another coordinator has taken the log over; this one ends');
    return word;
  });
  let stopped: Promise<void> | null = null;
  const stop = async () => {
    logger.info({ graceMs: config.stopGraceMs }, 'the coordinator stops');
    await engine.stop(config.stopGraceMs);
    await closeAll(parts, parts.log);
    logger.info('the coordinator has stopped');
  };
  return {
    address: { host: config.host, port: Number(new URL(url).port || 80) },
    url,
    fenced,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Closes what calls come in through before what they go out through, and the log last. */
async function closeAll(parts: Parts, log: TransactionLog): Promise<void> {
  await parts.channel.close();
  await parts.listener.close();
  await Promise.all(parts.transports.map((transport) => transport.close()));
  await log.close();
}

function countByService(transport: ChannelTransport) {
  const instances = new Map<string, number>();
  for (const { service } of transport.participants()) {
    instances.set(service, (instances.get(service) ?? 0) + 1);
  }
  return [...instances].map(([service, count]) => ({ service, instances: count }));
}

/** Whoever reaches an address without login can decide transactions, so that is for loopback. */
function accessOf({ tokens, host, allowAnonymous }: Config, clock: Clock): Access {
  if (tokens !== null) return createAccess(readTokens(tokens), clock);
  if (!allowAnonymous && !isLoopback(host)) {
    const how =
      'set `tokens` (see `settle token`), or `allowAnonymous` where the network is the guard';
    throw new Failure(
      'INVALID_CONFIG',
      `host ${host} is not loopback and there are no tokens: ${how}.`,
    );
  }
  return createAccess([], clock);
}
