/**
 * JSON schemas of what operators ask about undo rows and locks, and of what they are answered; parts
 * of those in shapes.ts and answer-shapes.ts. Guards: nothing misshapen or oversized reaches a
 * participant.
 */
import { limits } from '../../client-sdk/protocol/index.ts';
import type { Schema } from './shapes.ts';

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

function record(properties: { readonly [name: string]: Schema }, required: string[]): Schema {
  return { type: 'object', properties, required, additionalProperties: false };
}

const gid: Schema = { type: 'string', pattern: limits.gidPattern };
const name: Schema = { type: 'string', pattern: limits.namePattern };
const branchId: Schema = { type: 'integer', minimum: 1, maximum: limits.branchesMax };
const limit: Schema = { type: 'integer', minimum: 1, maximum: limits.pageSizeMax };
/** Both kinds of cursors are numbers of the participant's database. */
const cursor: Schema = { type: 'string', pattern: '^[0-9]{1,19}$' };
/** Schema and name, quoted, with doubled quotes: longer than any that a database has. */
const table: Schema = { type: 'string', maxLength: 512 };
const seen: Schema = {
  type: 'string',
  pattern: '^[0-9a-f]{64}$',
  description: 'As it was given by what was looked at.',
};

/** Requests, by name. */
export const undoSchemas = {
  Undo: record({ gid, branchId, limit, cursor }, ['gid']),
  RowResolution: record(
    {
      table,
      key: { type: 'string', maxLength: limits.rowKeyBytesMax },
      choice: { type: 'string', enum: ['restore', 'keep', 'merge'] },
      columns: {
        type: 'object',
        description: 'Of a merge. Columns that are not named stay as they are.',
        minProperties: 1,
        maxProperties: limits.undoRowsMax,
        additionalProperties: { type: 'string', enum: ['before', 'current'] },
      },
      seen,
    },
    ['table', 'key', 'choice', 'seen'],
  ),
  OtherResolution: record({ choice: { type: 'string', enum: ['restore', 'keep'] }, seen }, [
    'choice',
    'seen',
  ]),
  Resolve: record(
    {
      gid,
      branchId,
      resource: name,
      rows: { type: 'array', items: ref('RowResolution'), maxItems: limits.resolvedRowsMax },
      otherwise: ref('OtherResolution'),
      dryRun: { type: 'boolean', description: 'Do all of it, answer, and take it back.' },
      reason: {
        type: 'string',
        minLength: 1,
        maxLength: limits.reasonLengthMax,
        description: 'Why; kept in the log of the server.',
      },
    },
    ['gid', 'reason'],
  ),
  Locks: record(
    {
      service: name,
      resource: name,
      table,
      gid,
      order: { type: 'string', enum: ['newest', 'oldest'], description: 'Default newest.' },
      limit,
      cursor,
    },
    ['service', 'resource'],
  ),
} as const satisfies Record<string, Schema>;

const text: Schema = { type: 'string' };
const textOrNull: Schema = { type: ['string', 'null'] };
const count: Schema = { type: 'integer' };
const texts: Schema = { type: 'array', items: text };
const row: Schema = {
  type: ['object', 'null'],
  description: 'Text of each column; null: there is no row.',
  additionalProperties: { type: ['string', 'null'] },
};

function answer(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties) };
}

function listOf(schema: string): Schema {
  return { type: 'array', items: ref(schema) };
}

/** Answers, by name. */
export const undoAnswerSchemas = {
  InspectedRow: answer({
    table: text,
    key: text,
    steps: count,
    state: { type: 'string', enum: ['clean', 'restored', 'dirty', 'locked'] },
    why: textOrNull,
    differing: texts,
    seen: text,
    types: { type: 'object', additionalProperties: text },
    before: row,
    after: row,
    current: row,
    cut: texts,
    columnsLeftOut: count,
  }),
  UndoOfResource: answer({
    participant: ref('Participant'),
    resource: textOrNull,
    branchIds: { type: 'array', items: count },
    isFinished: { type: 'boolean' },
    error: {
      oneOf: [answer({ code: text, detail: text }), { type: 'null' }],
      description: 'Why the participant could not be asked.',
    },
    rows: listOf('InspectedRow'),
    rowsTotal: count,
    dirtyTotal: count,
    seen: textOrNull,
    nextCursor: textOrNull,
  }),
  UndoAnswer: answer({
    gid: text,
    phase: {
      type: 'string',
      enum: ['active', 'committing', 'committed', 'rollingBack', 'rolledBack'],
    },
    resources: listOf('UndoOfResource'),
  }),
  ResolvedRow: answer({
    table: text,
    key: text,
    choice: { type: ['string', 'null'], enum: ['restore', 'keep', 'merge', null] },
    from: row,
    to: row,
    cut: texts,
    columnsLeftOut: count,
  }),
  ResolvedAnswer: answer({
    gid: text,
    branchIds: { type: 'array', items: count },
    participant: ref('Participant'),
    dryRun: { type: 'boolean' },
    rows: listOf('ResolvedRow'),
    rowsTotal: count,
  }),
  HeldLock: answer({
    table: text,
    key: text,
    row,
    gid: text,
    branchId: count,
    createdAtMs: count,
  }),
  LocksAnswer: answer({
    service: text,
    resource: text,
    locks: listOf('HeldLock'),
    nextCursor: textOrNull,
  }),
} as const satisfies Record<string, Schema>;
