/**
 * JSON schemas of what operators ask about undo rows and locks, and of what they are answered; parts
 * of those in shapes.ts and answer-shapes.ts. Guards: nothing misshapen or oversized reaches a
 * participant.
 */
import { limits } from '../../client-sdk/protocol/index.ts';
import {
  answer,
  branchId,
  gid,
  integer,
  integerOrNull,
  listOf,
  name,
  orNull,
  pageLimit,
  phase,
  reason,
  record,
  ref,
  type Schema,
  text,
  textOrNull,
  truth,
} from './schema-parts.ts';

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
  Undo: record({ gid, branchId, limit: pageLimit, cursor }, ['gid']),
  RowResolution: record(
    {
      table,
      key: { type: 'string', maxLength: limits.rowKeyBytesMax },
      choice: { type: 'string', enum: ['restore', 'keep', 'merge'] },
      columns: {
        type: 'object',
        description:
          'Of a merge. Columns that are not named stay where somebody else has changed them, and ' +
          'become what they were where nobody has.',
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
      reason: reason('the log of the server'),
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
      limit: pageLimit,
      cursor,
    },
    ['service', 'resource'],
  ),
} as const satisfies Record<string, Schema>;

const texts = listOf(text);
const row: Schema = {
  type: ['object', 'null'],
  description: 'Text of each column; null: there is no row.',
  additionalProperties: { type: ['string', 'null'] },
};

/** Answers, by name. */
export const undoAnswerSchemas = {
  InspectedRow: answer({
    table: text,
    key: text,
    steps: integer,
    state: { type: 'string', enum: ['clean', 'restored', 'dirty', 'locked'] },
    why: textOrNull,
    differing: texts,
    seen: text,
    types: { type: 'object', additionalProperties: text },
    before: row,
    after: row,
    current: row,
    cut: texts,
    columnsLeftOut: integer,
  }),
  UndoOfResource: answer({
    participant: ref('Participant'),
    resource: textOrNull,
    branchIds: listOf(integer),
    isFinished: truth,
    error: {
      ...orNull(answer({ code: text, detail: text })),
      description: 'Why the participant could not be asked.',
    },
    rows: listOf(ref('InspectedRow')),
    rowsTotal: integer,
    dirtyTotal: integer,
    seen: textOrNull,
    nextCursor: textOrNull,
  }),
  UndoAnswer: answer({
    gid: text,
    phase,
    resources: listOf(ref('UndoOfResource')),
  }),
  ResolvedRow: answer({
    table: text,
    key: text,
    choice: { type: ['string', 'null'], enum: ['restore', 'keep', 'merge', null] },
    from: row,
    to: row,
    cut: texts,
    columnsLeftOut: integer,
  }),
  ResolvedAnswer: answer({
    auditSeq: { ...integerOrNull, description: 'Its entry in the audit; null of a dry run.' },
    gid: text,
    branchIds: listOf(integer),
    participant: ref('Participant'),
    dryRun: truth,
    rows: listOf(ref('ResolvedRow')),
    rowsTotal: integer,
  }),
  HeldLock: answer({
    table: text,
    key: text,
    row,
    gid: text,
    branchId: integer,
    createdAtMs: integer,
  }),
  LocksAnswer: answer({
    service: text,
    resource: text,
    locks: listOf(ref('HeldLock')),
    nextCursor: textOrNull,
  }),
} as const satisfies Record<string, Schema>;
