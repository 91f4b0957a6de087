/**
 * Which callback addresses the coordinator may call: an allow-list of origins, nothing else. It
 * guards against requests that use the coordinator to reach what only the coordinator can reach
 * (server-side request forgery, CWE-918). Redirects are the transport's part: it follows none.
 */
import { limits } from '../../client-sdk/protocol/index.ts';
import { remembered } from '../runtime/remembered.ts';

/** True, or why not: a sentence for people that repeats no credentials. */
export type TargetVerdict = true | string;

/** The rule that every callback address must pass, at registration and at each call. */
export interface TargetPolicy {
  /** Whether `POST {url}/{operation}` may be sent. Pure; never throws. */
  allows(url: string): TargetVerdict;
}

/** Addresses that are kept in memory once they were looked at: services have few and are called often. */
export const addressesMax = 1_000;

/**
 * `origins`: `http://host:port` or `https://host:port`; a default port may be left out. Entries are
 * compared as origins (RFC 6454), so letter case and default ports make no difference. Throws a
 * TypeError for an entry that is no such origin; the configuration has checked them before.
 */
export function createTargetPolicy(origins: readonly string[]): TargetPolicy {
  const allowed = new Set(origins.map(originOf));
  // While the process lives a verdict never changes.
  const verdict = remembered((url) => verdictOf(url, allowed), addressesMax);
  return {
    allows: (url) => (url.length > limits.urlLengthMax ? tooLong : verdict(url)),
  };
}

const tooLong = `the url is longer than ${limits.urlLengthMax}`;

function verdictOf(url: string, allowed: ReadonlySet<string>): TargetVerdict {
  const parsed = URL.parse(url);
  if (parsed === null) return 'the url is not an absolute address';
  if (!isHttp(parsed)) return 'the url must begin with http:// or https://';
  if (parsed.username !== '' || parsed.password !== '') return 'the url must not name a user';
  // An empty fragment or query leaves `hash` and `search` empty, so look at the text.
  if (url.includes('#')) return 'the url must not have a fragment';
  if (url.includes('?')) return 'the url must not have a query: the operation goes to its end';
  if (allowed.has(parsed.origin)) return true;
  return `the origin ${parsed.origin} is not in the allow-list`;
}

function originOf(text: string): string {
  const parsed = URL.parse(text);
  const isOrigin =
    parsed !== null &&
    isHttp(parsed) &&
    parsed.pathname === '/' &&
    parsed.username === '' &&
    parsed.password === '' &&
    !/[?#]/.test(text);
  if (!isOrigin) throw new TypeError('an allowed origin must look like http://host:port');
  return parsed.origin;
}

function isHttp(url: URL): boolean {
  return url.protocol === 'http:' || url.protocol === 'https:';
}
