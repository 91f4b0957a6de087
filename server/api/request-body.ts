/**
 * From the parts of an HTTP request to one request body: bytes to JSON, query text to values, and
 * path, constants and body joined. Each field comes from one place only. Faults are values.
 */
import { type Gid, isTraceparent } from '../../client-sdk/protocol/index.ts';
import { pathNames, type Route } from './route.ts';
import type { Fault } from './schemas.ts';

/** The parts, as Fastify gives them; `body` is what came over the wire, or undefined. */
export interface RequestParts {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array | undefined;
  /** The header of this name, as it came. */
  readonly traceparent: unknown;
}

/** A body that still has to pass the schema of its verb, or why there is none. */
export type Joined =
  | { readonly ok: true; readonly body: Record<string, unknown> }
  | { readonly ok: false; readonly fault: Fault };

/** Joins the parts. A missing or empty body counts as `{}`. */
export function joinRequest(route: Route, parts: RequestParts, newGid: () => Gid): Joined {
  const read = route.method === 'GET' ? readQuery(parts.query) : readBody(parts.body);
  if (!read.ok) return read;
  const given: Record<string, unknown> = { ...route.constants };
  for (const name of pathNames(route.path)) {
    const value = parts.params[name];
    given[name] = name === 'branchId' ? numberOrText(value) : value;
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(read.body, name)) return refuse(`${name}: is given by the address already`);
  }
  if (route.isGidOptional && !Object.hasOwn(read.body, 'gid')) given['gid'] = newGid();
  if (tracedVerbs.has(route.verb) && !Object.hasOwn(read.body, 'traceparent')) {
    // One that is none is no fault of the request: whoever is in the way may have written it.
    if (isTraceparent(parts.traceparent)) given['traceparent'] = parts.traceparent;
  }
  return { ok: true, body: { ...read.body, ...given } };
}

/** Requests that may say where they are in a trace. */
const tracedVerbs: ReadonlySet<Route['verb']> = new Set(['begin', 'submit', 'try']);

function refuse(detail: string, code: Fault['code'] = 'INVALID_REQUEST'): Joined {
  return { ok: false, fault: { code, detail } };
}

function readBody(bytes: Uint8Array | undefined): Joined {
  if (bytes === undefined || bytes.byteLength === 0) return { ok: true, body: {} };
  try {
    // Fatal: a byte that is no UTF-8 would otherwise be stored as another character.
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      return refuse('The body must be a JSON object.');
    }
    // Own keys are copied as they are, `__proto__` too: the schemas decide about them.
    return { ok: true, body: { ...value } };
  } catch (error) {
    const isSyntax = error instanceof SyntaxError;
    return refuse(isSyntax ? 'The body is not JSON.' : 'The body is not UTF-8.', 'INVALID_JSON');
  }
}

/** Query texts become what the schemas ask for; a parameter given twice stays a list and fails. */
function readQuery(query: Readonly<Record<string, unknown>>): Joined {
  const body: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(query)) {
    if (name === '__proto__') return refuse('__proto__: is not a known field');
    body[name] = coerced(name, value);
  }
  return { ok: true, body };
}

function coerced(name: string, value: unknown): unknown {
  switch (name) {
    case 'before':
    case 'branchId':
    case 'limit':
    case 'timeoutMs':
    case 'waitMs':
      return numberOrText(value);
    case 'startedAfterMs':
    case 'startedBeforeMs':
      return numberOrText(value, 15);
    case 'attention':
      return value === 'true' ? true : value === 'false' ? false : value;
    default:
      return value;
  }
}

function numberOrText(value: unknown, digitsMax = 9): unknown {
  const isNumber = typeof value === 'string' && /^\d+$/.test(value) && value.length <= digitsMax;
  return isNumber ? Number(value) : value;
}
