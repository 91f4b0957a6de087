/**
 * `GET /v1/events`: server-sent events, for those who watch. Guards: no more streams than the desk
 * allows; one that is not read is cut off instead of piling up; one ends as soon as its token or
 * session does, and all end before the server closes.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DeskEvent, ErrorCode } from '../../client-sdk/protocol/index.ts';
import type { Lookout } from '../desk/lookout.ts';
import { type Access, mayAct } from './access.ts';
import type { ProblemExtras } from './problem.ts';

/** What the route needs; `refuse` answers a problem. */
export interface EventsParts {
  readonly access: Access;
  readonly lookout: Pick<Lookout, 'events'>;
  readonly refuse: (
    reply: FastifyReply,
    code: ErrorCode,
    detail: string,
    extras?: ProblemExtras,
  ) => FastifyReply;
}

/** Bytes that may wait for a reader: some ticks. Who is slower is cut off and comes back. */
const unreadBytesMax = 1024 * 1024;
const roles = ['viewer', 'operator'] as const;

/** Adds the route. */
export function serveEvents(app: FastifyInstance, parts: EventsParts): void {
  const { access, lookout, refuse } = parts;
  app.get('/v1/events', (request, reply) => {
    const identity = access.identify(request.headers);
    if (identity === null) {
      reply.header('www-authenticate', 'Bearer');
      refuse(reply, 'UNAUTHORIZED', 'This coordinator answers to tokens only');
      return;
    }
    if (!mayAct(identity, roles)) {
      refuse(reply, 'FORBIDDEN', `${identity.who} is a ${identity.role}`);
      return;
    }
    if (!stream(request, reply, parts)) {
      const detail = 'there are too many streams, or the coordinator is stopping';
      refuse(reply, 'OVERLOADED', detail, { retryAfterMs: 5_000 });
    }
  });
  app.addHook('preClose', async () => lookout.events.close());
}

/** False when there is no room for it; then nothing has been sent. */
function stream(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { access, lookout }: EventsParts,
): boolean {
  const { raw } = reply;
  let isOpen = false;
  const start = () => {
    isOpen = true;
    reply.hijack();
    raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // Proxies that collect answers before they pass them on know this one.
      'x-accel-buffering': 'no',
    });
  };
  const leave = lookout.events.listen({
    hear(events) {
      if (!isOpen) start();
      if (raw.writableEnded || raw.destroyed) return;
      const identity = access.identify(headers);
      if (identity === null || !mayAct(identity, roles)) raw.end();
      else if (raw.writableLength > unreadBytesMax) raw.destroy();
      else raw.write(events.map(textOf).join(''));
    },
    ended: () => raw.end(),
  });
  if (leave === null) return false;
  raw.on('close', leave);
  // A write to a reader who has just left; `close` follows.
  raw.on('error', () => raw.destroy());
  return true;
}

/** JSON has no raw line ends, so that one line holds it. */
function textOf(event: DeskEvent): string {
  return `event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}
