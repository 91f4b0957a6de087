/** From the body of an HTTP request to a call: the parse boundary of participants over HTTP. */
import {
  type Call,
  isGid,
  isTraceparent,
  type Json,
  limits,
  type Operation,
  type Question,
} from '../protocol/index.ts';

/**
 * The call, or what is wrong with the body. Method and operation are those of the address, whatever
 * the body says; a payload left out is null; fields of newer coordinators are ignored.
 */
export function callOf(
  body: unknown,
  address: { readonly method: string; readonly operation: Operation | Question },
): Call | string {
  if (!isRecord(body)) return 'the body is not a JSON object';
  const { gid, branchId, payload = null, results, result, traceparent } = body;
  if (typeof gid !== 'string' || !isGid(gid)) return 'gid is missing or outside its grammar';
  if (!isBranchId(branchId)) return `branchId is not a number of 1..${limits.branchesMax}`;
  if (results !== undefined && !isRecord(results)) return 'results is not an object';
  // Fastify has parsed the body, so each part of it is JSON.
  return {
    ...address,
    gid,
    branchId,
    payload: payload as Json,
    ...(results === undefined ? {} : { results: results as Readonly<Record<string, Json>> }),
    ...(result === undefined ? {} : { result: result as Json }),
    ...(isTraceparent(traceparent) ? { traceparent } : {}),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isBranchId(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= limits.branchesMax;
}
