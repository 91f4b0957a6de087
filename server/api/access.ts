/**
 * Who asks, and what he may: bearer tokens with roles, and sessions of the console. Guards: with
 * tokens nobody gets anything without one but a sign of life; a token is kept as its hash and compared
 * as such; without tokens everybody is let in, which `startServer` allows on loopback only.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isName, type Role } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';

/** A token as the server keeps it. */
export interface TokenEntry {
  /** Of who has it; the audit shows it. */
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token, in hex. */
  readonly sha256: string;
}

/** Who asks. */
export interface Identity {
  readonly who: string;
  /** `anyone`: no tokens are set up, and he may do everything. */
  readonly role: Role | 'anyone';
}

/** A session that has begun. */
export interface Session {
  readonly identity: Identity;
  /** Value of `set-cookie`. */
  readonly cookie: string;
}

/** The gate. */
export interface Access {
  /** Whether tokens are needed. */
  readonly isClosed: boolean;
  /** Null: he has not said who he is, or nobody knows him. */
  identify(headers: IncomingHttpHeaders): Identity | null;
  /** Begins a session of the console; null: that is no token of ours, or only of a service. */
  login(token: string, isSecure: boolean): Session | null;
  /** Ends the session of these headers, if there is one. The cookie that takes it from the browser. */
  logout(headers: IncomingHttpHeaders): string;
}

/** How long a session lasts: a working day. */
export const sessionMs = 12 * 3_600_000;
/** The oldest one goes when there are more. */
const sessionsMax = 1_000;
const cookieName = 'settle_session';

/** A gate for these tokens; without any it is open. */
export function createAccess(tokens: readonly TokenEntry[], clock: Clock): Access {
  // By hash: that a lookup takes time by what it compares tells nothing about a token.
  const byHash = new Map(tokens.map(({ sha256, name, role }) => [sha256, { who: name, role }]));
  const sessions = new Map<string, { readonly identity: Identity; readonly endsAtMs: number }>();
  const isClosed = tokens.length > 0;

  function ofSession(headers: IncomingHttpHeaders): Identity | null {
    const id = sessionIdIn(headers);
    const session = id === null ? undefined : sessions.get(hashOf(id));
    if (session === undefined || session.endsAtMs <= clock.nowMs()) return null;
    return session.identity;
  }

  return {
    isClosed,
    identify(headers) {
      if (!isClosed) return { who: claimedName(headers), role: 'anyone' };
      const token = /^bearer ([!-~]{1,512})$/i.exec(headers.authorization ?? '')?.[1];
      // Who sends a token means it, also when a session is there.
      if (token !== undefined) return byHash.get(hashOf(token)) ?? null;
      return ofSession(headers);
    },
    login(token, isSecure) {
      const identity = byHash.get(hashOf(token));
      if (identity === undefined || identity.role === 'service') return null;
      const id = randomBytes(32).toString('base64url');
      const [oldest] = sessions.keys();
      if (sessions.size >= sessionsMax && oldest !== undefined) sessions.delete(oldest);
      sessions.set(hashOf(id), { identity, endsAtMs: clock.nowMs() + sessionMs });
      return { identity, cookie: cookieOf(id, sessionMs / 1_000, isSecure) };
    },
    logout(headers) {
      const id = sessionIdIn(headers);
      if (id !== null) sessions.delete(hashOf(id));
      return cookieOf('', 0, false);
    },
  };
}

/** Whether he may do what these roles may. */
export function mayAct({ role }: Identity, roles: readonly Role[]): boolean {
  return role === 'anyone' || roles.includes(role);
}

/** Of a token or a session's id. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Without tokens people say who they are, so that the audit has a name; nobody checks it. */
function claimedName(headers: IncomingHttpHeaders): string {
  const claimed = headers['settle-operator'];
  return typeof claimed === 'string' && isName(claimed) ? claimed : 'anonymous';
}

function sessionIdIn({ cookie }: IncomingHttpHeaders): string | null {
  const parts = (cookie ?? '').split(';').map((part) => part.trim());
  const own = parts.find((part) => part.startsWith(`${cookieName}=`));
  return own?.slice(cookieName.length + 1) || null;
}

/** Strict: no other site's page can use it, not even by a link. No script can read it. */
function cookieOf(value: string, seconds: number, isSecure: boolean): string {
  const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}`;
  return `${cookieName}=${value}; ${flags}${isSecure ? '; Secure' : ''}`;
}
