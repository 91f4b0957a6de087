/**
 * Settle for Fastify 5: joining the transaction that a request belongs to, answering errors by the
 * one table of codes, and participants over plain HTTP. Invariant: a request that carries a gid
 * never runs outside of its transaction; a route that the plugin could not wrap refuses it.
 */
import type {
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
  RouteHandlerMethod,
} from 'fastify';
import { callOf } from './participant/call-body.ts';
import type { Method } from './participant/host.ts';
import { pong } from './participant/pong.ts';
import {
  problemOf,
  problemOfAnswer,
  problemOfError,
  problemType,
  retryAfterOf,
} from './problem.ts';
import { contextHeaders, limits, type Problem, type Tracer } from './protocol/index.ts';
import type { Settle } from './settle.ts';
import { tracedMethod } from './spans.ts';

/** Marks handlers of `participantRoutes`, whose calls come from the coordinator. */
const participantHandler = Symbol('settle.participantHandler');

/**
 * The plugin: `await app.register(settlePlugin(settle))`, before any route. It is `await`ed because
 * Fastify shows routes only to plugins that are loaded already; a request with a gid for a route
 * that came too early is answered INVALID_CONFIG.
 *
 * Handlers of requests with a `settle-gid` header run inside that transaction: branches that they
 * call are registered there, and the response waits for all of them, so return the value instead of
 * calling `reply.send` early. TerminalError, RetryableError and SettleError of any handler become
 * problems (409, 425, 503 …); other errors go the way they went before.
 */
export function settlePlugin(settle: Pick<Settle, 'join'>): FastifyPluginCallback {
  const plugin: FastifyPluginCallback = (app, _options, done) => {
    // In the route's config, because Fastify binds handlers anew and copies configs (for HEAD, too).
    const seen = Symbol('settle.seen');
    app.addHook('onRoute', (route) => {
      const isWrapped = participantHandler in route.handler || seen in (route.config ?? {});
      if (!isWrapped) route.handler = wrap(settle, route.handler);
      route.config = Object.assign({}, route.config, { [seen]: true });
    });
    app.addHook('onRequest', (request, reply, next) => {
      const isKnown = request.is404 || seen in request.routeOptions.config;
      const isLost = gidHeader(request) !== undefined && !isKnown;
      if (!isLost) return next();
      const detail = 'this route came before the Settle plugin: `await app.register(…)` it first';
      sendProblem(reply, problemOf('INVALID_CONFIG', detail));
    });
    done();
  };
  return Object.assign(plugin, {
    // What the package fastify-plugin does: hooks for the whole app instead of a child of it.
    [Symbol.for('skip-override')]: true,
    [Symbol.for('plugin-meta')]: { name: '@settle/client', fastify: '5.x' },
  });
}

/**
 * Exposes a method over plain HTTP: `POST {path}/try`, `…/confirm`, `…/cancel` (or `…/run`,
 * `…/undo`), each taking a call as JSON (`gid` and `branchId` at least) and answering by the strict
 * result protocol: 200 with the result, 409 refused, 425 ongoing, 503 unknown; 400 for a body that
 * is no call. `POST {path}/ping` says that it is there. The coordinator reaches it as
 * `{ url: 'http://host{path}' }`. With a tracer each call is a span in the trace of its transaction.
 */
export function participantRoutes(
  app: FastifyInstance,
  method: Method,
  path: string,
  options: { readonly tracer?: Tracer } = {},
): void {
  const traced = tracedMethod(method, options.tracer ?? null);
  for (const operation of method.operations) {
    const handler = Object.assign(answering(traced, operation), { [participantHandler]: true });
    app.post(`${path}/${operation}`, { bodyLimit: limits.bodyBytesMax }, handler);
  }
  const ping = Object.assign(async () => pong().result, { [participantHandler]: true });
  app.post(`${path}/ping`, { bodyLimit: limits.bodyBytesMax }, ping);
}

function answering(method: Method, operation: Method['operations'][number]) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const call = callOf(request.body, { method: method.name, operation });
    if (typeof call === 'string') return sendProblem(reply, problemOf('INVALID_REQUEST', call));
    const answer = await method.handle(call);
    if (answer.outcome !== 'done') return sendProblem(reply, problemOfAnswer(answer));
    return reply
      .code(200)
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(answer.result));
  };
}

function wrap(settle: Pick<Settle, 'join'>, handler: RouteHandlerMethod): RouteHandlerMethod {
  return function (request, reply) {
    const run = () => handler.call(this, request, reply);
    if (gidHeader(request) !== undefined) {
      const work = () => untilAnswered(run(), reply);
      return settle.join(request.headers, work).catch((error) => answerError(reply, error));
    }
    // Kept synchronous: a handler that answers by `reply.send` later must not look like a promise.
    try {
      const outcome: unknown = run();
      if (!(outcome instanceof Promise)) return outcome;
      return outcome.catch((error: unknown) => answerError(reply, error));
    } catch (error) {
      return answerError(reply, error);
    }
  };
}

/** A handler that answers by `reply.send` later is over when its response is. */
function untilAnswered(outcome: unknown, reply: FastifyReply): unknown {
  if (outcome !== undefined && outcome !== reply) return outcome;
  return new Promise<void>((resolve, reject) => reply.then(resolve, reject));
}

function answerError(reply: FastifyReply, error: unknown): FastifyReply {
  const problem = problemOfError(error);
  if (problem === undefined || reply.sent) throw error;
  return sendProblem(reply, problem);
}

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const retryAfter = retryAfterOf(problem);
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  // Text, so that a response schema of the route does not cut it.
  return reply.code(problem.status).type(problemType).send(JSON.stringify(problem));
}

/** A header that came twice is a list; `join` takes its first. */
function gidHeader(request: FastifyRequest): unknown {
  return request.headers[contextHeaders.gid];
}
