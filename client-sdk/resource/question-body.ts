/**
 * From the payload of a question to its body: the parse boundary of a resource. Invariant: nothing
 * is resolved by a body that is not understood as a whole.
 */
import {
  type InspectQuestion,
  isGid,
  type Json,
  type LocksQuestion,
  type OtherResolution,
  type ResolveQuestion,
  type RowResolution,
} from '../protocol/index.ts';

type Fields = { readonly [key: string]: Json };

/** Null: it is none. */
export function inspectQuestionOf(payload: Json): InspectQuestion | null {
  if (!isFields(payload)) return null;
  const { offset, rowsMax, bytesMax } = payload;
  if (!isCount(offset) || !isCount(rowsMax) || !isCount(bytesMax)) return null;
  return { offset, rowsMax, bytesMax };
}

/** Null: it is none. */
export function locksQuestionOf(payload: Json): LocksQuestion | null {
  if (!isFields(payload)) return null;
  const { table, gid, order, limit, after } = payload;
  if ((order !== 'newest' && order !== 'oldest') || !isCount(limit)) return null;
  if (!isTextIfAny(table) || !isTextIfAny(gid) || !isTextIfAny(after)) return null;
  if (gid !== undefined && !isGid(gid)) return null;
  if (after !== undefined && !/^\d{1,19}$/.test(after)) return null;
  return {
    order,
    limit,
    ...(table === undefined ? {} : { table }),
    ...(gid === undefined ? {} : { gid }),
    ...(after === undefined ? {} : { after }),
  };
}

/** Null: it is none. */
export function resolveQuestionOf(payload: Json): ResolveQuestion | null {
  if (!isFields(payload)) return null;
  const { rows, otherwise = null, dryRun, bytesMax } = payload;
  if (typeof dryRun !== 'boolean' || !isCount(bytesMax) || !Array.isArray(rows)) return null;
  const resolutions = rows.map((row: Json) => rowResolutionOf(row));
  const others = otherwise === null ? null : otherResolutionOf(otherwise);
  if (otherwise !== null && others === null) return null;
  const known = resolutions.filter((row) => row !== null);
  if (known.length < resolutions.length) return null;
  return { rows: known, otherwise: others, dryRun, bytesMax };
}

function rowResolutionOf(row: Json): RowResolution | null {
  if (!isFields(row)) return null;
  const { table, key, choice, columns, seen } = row;
  if (typeof table !== 'string' || typeof key !== 'string' || typeof seen !== 'string') return null;
  if (choice === 'restore' || choice === 'keep') {
    return columns === undefined ? { table, key, choice, seen } : null;
  }
  if (choice !== 'merge' || columns === undefined || !isFields(columns)) return null;
  const sources: [string, 'before' | 'current'][] = [];
  for (const [name, source] of Object.entries(columns)) {
    if (source !== 'before' && source !== 'current') return null;
    sources.push([name, source]);
  }
  return { table, key, choice, columns: Object.fromEntries(sources), seen };
}

function otherResolutionOf(otherwise: Json): OtherResolution | null {
  if (!isFields(otherwise)) return null;
  const { choice, seen } = otherwise;
  if ((choice !== 'restore' && choice !== 'keep') || typeof seen !== 'string') return null;
  return { choice, seen };
}

function isFields(value: Json): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isTextIfAny(value: Json | undefined): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
