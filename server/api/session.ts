/**
 * `/v1/session`: how the console logs in. A token becomes a cookie that no script can read; who
 * comes back is told who he is. Guards: the token is taken from a body, never from an address.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode, SessionView } from '../../client-sdk/protocol/index.ts';
import type { Access } from './access.ts';

/** What the routes need; `refuse` answers a problem. */
export interface SessionParts {
  readonly access: Access;
  readonly isReadOnly: boolean;
  readonly refuse: (reply: FastifyReply, code: ErrorCode, detail: string) => FastifyReply;
}

const path = '/v1/session';

/** Adds the routes. */
export function serveSession(app: FastifyInstance, parts: SessionParts): void {
  const { access, isReadOnly, refuse } = parts;
  app.get(path, async (request, reply) => {
    const identity = access.identify(request.headers);
    if (identity === null) return refuse(reply, 'UNAUTHORIZED', 'log in with a token');
    return { ...identity, isReadOnly, needsLogin: access.isClosed } satisfies SessionView;
  });
  app.post(path, async (request, reply) => {
    const token = tokenIn(request);
    const session = token === null ? null : access.login(token, request.protocol === 'https');
    if (session === null) return refuse(reply, 'UNAUTHORIZED', 'that is no token for people');
    reply.header('set-cookie', session.cookie);
    return { ...session.identity, isReadOnly, needsLogin: true } satisfies SessionView;
  });
  app.delete(path, async (request, reply) => {
    reply.header('set-cookie', access.logout(request.headers));
    return reply.code(204).send();
  });
}

/** `{ "token": "…" }`; anything else is no token. */
function tokenIn({ body }: FastifyRequest): string | null {
  if (!(body instanceof Uint8Array) || body.length > 1_024) return null;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    if (parsed === null || typeof parsed !== 'object' || !('token' in parsed)) return null;
    return typeof parsed.token === 'string' ? parsed.token : null;
  } catch {
    return null;
  }
}
