/** What is wrong with requests about undo rows, and no schema can say. Bodies have passed their schema. */
import { limits, type ResolveRequest, type UndoRequest } from '../../client-sdk/protocol/index.ts';
import { bytesOf, fitsBytes } from './json-size.ts';
import type { Fault } from './schemas.ts';

/** Null when it is fine. */
export function undoFault(body: unknown): Fault | null {
  const { branchId, cursor } = body as UndoRequest;
  if (cursor === undefined || branchId !== undefined) return null;
  return invalid('cursor: needs branchId, for each resource has pages of its own');
}

/** Null when it is fine. */
export function resolveFault(body: unknown): Fault | null {
  const { branchId, resource, rows = [] } = body as ResolveRequest;
  if ((branchId === undefined) === (resource === undefined)) {
    return invalid('give either branchId or resource');
  }
  for (const [i, { choice, columns }] of rows.entries()) {
    if ((choice === 'merge') === (columns !== undefined)) continue;
    return invalid(`rows[${i}].columns: belong to a merge, and every merge needs them`);
  }
  if (fitsBytes(rows, limits.resolutionBytesMax)) return null;
  const detail = `rows: are ${bytesOf(rows)} bytes of JSON, more than ${limits.resolutionBytesMax}`;
  return { code: 'LIMIT_EXCEEDED', detail };
}

function invalid(detail: string): Fault {
  return { code: 'INVALID_REQUEST', detail };
}
