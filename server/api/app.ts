/**
 * The HTTP edge: the Fastify app with every route, one shape for every refusal, and no trace of a
 * stack in any answer. It guards that only whole, checked requests reach the coordinator, and that
 * payloads are never logged. It does not listen; see listen.ts.
 */
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { type ErrorCode, type Gid, isGid, limits } from '../../client-sdk/protocol/index.ts';
import type { Desk } from '../desk/desk.ts';
import type { Lookout } from '../desk/lookout.ts';
import type { Answer, Coordinator } from '../engine/coordinator.ts';
import { exposition, expositionType } from '../observe/metrics.ts';
import { type Access, mayAct } from './access.ts';
import { refuseBrokenRequest } from './broken-request.ts';
import { consoleFolder, serveConsole } from './console-files.ts';
import { errorsPage } from './errors-page.ts';
import { serveEvents } from './events.ts';
import { reasonsNotReady } from './health.ts';
import { type CallsQueued, type ConnectedService, metricsOf } from './metrics.ts';
import { openapiDocument } from './openapi.ts';
import { type ProblemExtras, problemOf, problemType, retryAfterSeconds } from './problem.ts';
import { joinRequest } from './request-body.ts';
import type { Route } from './route.ts';
import { apiRoutes } from './routes.ts';
import type { Validators } from './schemas.ts';
import { serveSession } from './session.ts';

/** What the edge needs from the rest. */
export interface AppParts {
  readonly coordinator: Coordinator;
  readonly desk: Desk;
  readonly lookout: Lookout;
  readonly validators: Validators;
  readonly access: Access;
  /** Operators may look and change nothing. */
  readonly isReadOnly: boolean;
  /** Instances connected by the channel now, for /metrics. */
  readonly connectedServices: () => readonly ConnectedService[];
  /** The same of calls that wait. */
  readonly callsQueued: () => CallsQueued;
  /** Makes a gid for callers who send none. */
  readonly newGid: () => Gid;
  readonly logger: FastifyBaseLogger;
}

/** Receiving one request may take so long; slower ones are attacks or broken networks. */
const requestTimeoutMs = 30_000;
/** Longer path values are refused before anything looks at them; a gid has at most 64 characters. */
const pathValueLengthMax = 512;

/** Builds the app; it holds no resource until it listens. `app.inject` works at once. */
export function createApp(parts: AppParts): FastifyInstance {
  const app = Fastify({
    loggerInstance: parts.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: requestTimeoutMs,
    routerOptions: { maxParamLength: pathValueLengthMax },
    forceCloseConnections: 'idle',
    frameworkErrors: (error, _request, reply) => {
      refuse(reply as FastifyReply, 'INVALID_REQUEST', withoutPath(error));
    },
    clientErrorHandler: refuseBrokenRequest,
  });
  takeRawBodies(app);
  refuseForeignPages(app);
  app.setErrorHandler<FastifyError>(answerError);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    return refuse(reply, 'NOT_FOUND', `No such address: ${request.method} ${path}`);
  });
  const routes = apiRoutes();
  for (const route of routes) serve(app, route, parts);
  serveSession(app, { ...parts, refuse });
  serveEvents(app, { ...parts, refuse });
  servePages(app, parts, routes);
  serveConsole(app, consoleFolder);
  return app;
}

/** Bodies stay bytes here: joinRequest parses them, so that no third party decides what JSON is. */
function takeRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  app.addHook('onRequest', async (request, reply) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      await refuse(reply, 'INVALID_REQUEST', 'content-encoding: send the body without compression');
    }
  });
}

/**
 * A page from elsewhere that a user has open could make the browser post to a coordinator on this
 * machine; it cannot read the answer, but it need not (cross-site request forgery, CWE-352).
 */
function refuseForeignPages(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    const { origin, host } = request.headers;
    if (request.method === 'GET' || origin === undefined) return;
    if (URL.parse(origin)?.host !== host) {
      await refuse(reply, 'UNAUTHORIZED', `Pages of ${origin} may not change anything here`);
    }
  });
}

function serve(app: FastifyInstance, route: Route, parts: AppParts): void {
  const { coordinator, desk, lookout, validators, access, newGid } = parts;
  app.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    async handler(request, reply) {
      const identity = access.identify(request.headers);
      if (identity === null) return refuseStranger(reply);
      if (!mayAct(identity, route.roles)) {
        return refuse(reply, 'FORBIDDEN', `${identity.who} is a ${identity.role}`);
      }
      const joined = joinRequest(route, partsOf(request), newGid);
      if (!joined.ok) return refuse(reply, joined.fault.code, joined.fault.detail);
      const gid = gidOf(joined.body);
      const fault = validators[route.verb](joined.body);
      if (fault !== null) return refuse(reply, fault.code, fault.detail, { gid });
      const { who } = identity;
      const answer = await route.ask({ coordinator, desk, lookout, who }, joined.body);
      if (route.isLogged) noteChange(parts.logger, route, { request: joined.body, answer });
      if (answer.ok) return reply.code(route.status).send(answer.body);
      const { code, detail, retryAfterMs } = answer;
      return refuse(reply, code, detail, { gid, retryAfterMs });
    },
  });
}

interface Change {
  readonly request: Readonly<Record<string, unknown>>;
  readonly answer: Answer<unknown>;
}

/** Who asked for what and why, without what stands in rows. */
function noteChange(log: FastifyBaseLogger, { verb }: Route, { request, answer }: Change): void {
  const { gid, branchId, resource, reason, dryRun = false } = request;
  const outcome = answer.ok ? 'done' : answer.code;
  log.info({ verb, gid, branchId, resource, reason, dryRun, outcome }, 'an operator asked for it');
}

/** Fastify gives params and query as records of text, and the body as our parser left it. */
function partsOf(request: FastifyRequest) {
  return {
    params: request.params as Readonly<Record<string, string>>,
    query: request.query as Readonly<Record<string, unknown>>,
    body: request.body as Uint8Array | undefined,
    traceparent: request.headers['traceparent'],
  };
}

function gidOf(body: Readonly<Record<string, unknown>>): Gid | undefined {
  const { gid } = body;
  return typeof gid === 'string' && isGid(gid) ? gid : undefined;
}

function servePages(app: FastifyInstance, parts: AppParts, routes: readonly Route[]): void {
  const document = openapiDocument(routes);
  const page = errorsPage();
  app.get('/healthz', async () => ({ status: 'alive' }));
  app.get('/readyz', async (_request, reply) => {
    const stats = parts.coordinator.stats();
    const reasons = reasonsNotReady(stats);
    if (reasons.length === 0) return { status: 'ready', engine: stats.state };
    return reply.code(503).send({ status: 'not ready', engine: stats.state, reasons });
  });
  app.get('/metrics', async (request, reply) => {
    if (parts.access.identify(request.headers) === null) return refuseStranger(reply);
    const { coordinator, lookout } = parts;
    const metrics = metricsOf(coordinator.stats(), parts.connectedServices(), {
      census: coordinator.census(),
      pulse: coordinator.pulse(),
      lockWaits: coordinator.lockWaits(),
      callsQueued: parts.callsQueued(),
      eventStreams: lookout.events.count(),
      nowMs: Date.now(),
    });
    return reply.type(expositionType).send(exposition(metrics));
  });
  app.get('/openapi.json', async () => document);
  app.get('/docs/errors', async (_request, reply) => {
    return reply.type('text/html; charset=utf-8').send(page);
  });
}

/** RFC 6750, 3: without a reason, for whoever has no token is told nothing else. */
function refuseStranger(reply: FastifyReply): FastifyReply {
  reply.header('www-authenticate', 'Bearer');
  return refuse(reply, 'UNAUTHORIZED', 'This coordinator answers to tokens only');
}

function refuse(
  reply: FastifyReply,
  code: ErrorCode,
  detail: string,
  extras: ProblemExtras = {},
): FastifyReply {
  const problem = problemOf(code, detail, extras);
  if (problem.retryAfterMs !== undefined) {
    reply.header('retry-after', retryAfterSeconds(problem.retryAfterMs));
  }
  return reply.code(problem.status).type(problemType).send(problem);
}

/** Errors of Fastify are the caller's; anything else is ours, is logged, and says nothing outside. */
function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refuse(
        reply,
        'LIMIT_EXCEEDED',
        `The body is larger than ${limits.bodyBytesMax} bytes`,
      );
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refuse(reply, 'INVALID_REQUEST', 'content-type: must be application/json');
    default:
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return refuse(reply, 'INVALID_REQUEST', error.message);
  }
  request.log.error({ err: error, requestId: request.id }, 'a request failed by our own fault');
  return refuse(reply, 'INTERNAL', `The server's log has the reason under ${request.id}`);
}

function withoutPath(error: FastifyError): string {
  return error.code === 'FST_ERR_BAD_URL' ? 'The address is not a valid URL path' : error.message;
}
