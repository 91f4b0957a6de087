/**
 * Which callback addresses the coordinator may call: an allow-list of origins, nothing else. It
 * guards against requests that use the coordinator to reach what only the coordinator can reach
 * (server-side request forgery, CWE-918). Redirects are the transport's part: it follows none.
 */
import { limits } from '../../client-sdk/protocol/index.ts';

/** True, or why not: a sentence for people that repeats no credentials. */
export type TargetVerdict = true | string;

/** The rule that every callback address must pass, at registration and at each call. */
export interface TargetPolicy {
  /** Whether `POST {url}/{operation}` may be sent. Pure; never throws. */
  allows(url: string): TargetVerdict;
}

/** Addresses whose verdict is remembered: it never changes while the process lives. */
const verdictsMax = 1_000;

/**
 * `origins`: `http://host:port` or `https://host:port`; a default port may be left out. Entries are
 * compared as origins (RFC 6454), so letter case and default ports make no difference. Throws a
 * TypeError for an entry that is no such origin; the configuration has checked them before.
 */
export function createTargetPolicy(origins: readonly string[]): TargetPolicy {
  const allowed = new Set(origins.map(originOf));
  const verdicts = new Map<string, TargetVerdict>();
  return {
    allows(url) {
      const known = verdicts.get(url);
      if (known !== undefined) return known;
      const verdict = verdictOf(url, allowed);
      // Services have few addresses; whoever sends many pays for each of them.
      if (verdicts.size >= verdictsMax) verdicts.clear();
      if (url.length <= limits.urlLengthMax) verdicts.set(url, verdict);
      return verdict;
    },
  };
}

function verdictOf(url: string, allowed: ReadonlySet<string>): TargetVerdict {
  if (url.length > limits.urlLengthMax) return `the url is longer than ${limits.urlLengthMax}`;
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
