/**
 * JSON schemas of every request, once: HTTP, channel and /openapi.json use the same ones. They
 * guard the invariant that nothing unknown, oversized or misshapen reaches the engine. What
 * depends on state, and whether the steps of a saga form a graph, is the business of the core.
 */
import { limits, traceparentPattern } from '../../client-sdk/protocol/index.ts';
import { deskSchemas } from './desk-shapes.ts';
import { lookoutSchemas } from './lookout-shapes.ts';
import { queryFields } from './query-shape.ts';
import {
  branchId,
  name,
  natural,
  pageLimit,
  gid as plainGid,
  record,
  ref,
  type Schema,
} from './schema-parts.ts';
import { undoSchemas } from './undo-shapes.ts';

/** Longest `waitMs`: beyond it a caller asks again, so that connections are not held for ever. */
export const waitMsMax = 60_000;
/** A cursor is made by the server: a start time and a gid, encoded; nothing longer is one. */
export const cursorLengthMax = 256;

const gid: Schema = {
  ...plainGid,
  description: 'Global transaction id: 1 to 64 of A-Z a-z 0-9 . _ - ; UUIDv7 by default.',
};
const timeoutMs: Schema = {
  type: 'integer',
  minimum: limits.timeoutMsMin,
  maximum: limits.timeoutMsMax,
};
const waitMs: Schema = { type: 'integer', minimum: 0, maximum: waitMsMax };
const token = (description: string): Schema => ({ ...plainGid, description });
const few = (items: Schema): Schema => ({ type: 'array', items, maxItems: limits.waitsMax });
const database = token('The same from wherever it is reached, another for every other one.');
const traceparent: Schema = {
  type: 'string',
  pattern: traceparentPattern,
  description:
    'Where the caller is in a trace (W3C Trace Context). Default: the header of that name.',
};
const anyJson = (description: string): Schema => ({ description });

/** Bodies of the channel verbs, and their parts, by name; also `components.schemas` of OpenAPI. */
export const schemas = {
  ...deskSchemas,
  ...lookoutSchemas,
  ...undoSchemas,
  Participant: {
    description: 'A method of a service that connects by the channel, or an HTTP address.',
    oneOf: [
      record({ service: name, method: name }, ['service', 'method']),
      record({ url: { type: 'string', maxLength: limits.urlLengthMax } }, ['url']),
    ],
  },
  Labels: {
    type: 'object',
    description: 'For search. At most 16, keys are names.',
    maxProperties: limits.labelsMax,
    propertyNames: { pattern: limits.namePattern },
    additionalProperties: { type: 'string', maxLength: limits.labelLengthMax },
  },
  Branch: record(
    {
      kind: { type: 'string', enum: ['tcc', 'at'], description: 'Default tcc.' },
      participant: ref('Participant'),
      payload: anyJson(
        'Any JSON of at most 64 KiB; goes to try, confirm and cancel alike. Null for at.',
      ),
    },
    ['participant'],
  ),
  Step: record(
    {
      name,
      participant: ref('Participant'),
      after: { type: 'array', items: name, maxItems: limits.branchesMax },
      attempts: { type: 'integer', minimum: 1, maximum: limits.attemptsMax },
      pivot: { type: 'boolean' },
    },
    ['name', 'participant'],
  ),
  Begin: record(
    {
      gid,
      name,
      timeoutMs,
      labels: ref('Labels'),
      branches: { type: 'array', items: ref('Branch'), maxItems: limits.branchesMax },
      traceparent,
    },
    ['gid'],
  ),
  Register: record(
    {
      gid,
      request: token('Chosen by the caller, unique in the gid: a repeat gets the same branch ids.'),
      branches: { type: 'array', items: ref('Branch'), minItems: 1, maxItems: limits.branchesMax },
    },
    ['gid', 'request', 'branches'],
  ),
  Try: record({ gid, branchId, traceparent }, ['gid', 'branchId']),
  Decide: record(
    {
      gid,
      direction: { type: 'string', enum: ['commit', 'rollback'] },
      reason: { type: 'string', description: 'Kept as cause.detail, cut at 512 characters.' },
      wait: { type: 'string', enum: ['decided', 'completed'] },
      waitMs,
    },
    ['gid', 'direction'],
  ),
  Submit: record(
    {
      gid,
      name,
      input: anyJson('Any JSON of at most 64 KiB; goes to every run and undo.'),
      steps: { type: 'array', items: ref('Step'), maxItems: limits.branchesMax },
      timeoutMs,
      labels: ref('Labels'),
      wait: { type: 'string', enum: ['submitted', 'completed'] },
      waitMs,
      traceparent,
    },
    ['gid', 'name', 'steps'],
  ),
  Get: record({ gid, wait: { type: 'string', enum: ['decided', 'completed'] }, waitMs }, ['gid']),
  List: record(
    {
      ...queryFields,
      sort: { type: 'string', enum: ['newest', 'oldest'], description: 'Default newest.' },
      limit: pageLimit,
      cursor: { type: 'string', maxLength: cursorLengthMax },
    },
    [],
  ),
  Connection: record({ database, id: natural }, ['database', 'id']),
  DatabaseWait: record({ id: natural, database, blockers: few(natural) }, [
    'id',
    'database',
    'blockers',
  ]),
  HolderWait: record({ id: natural, gid }, ['id', 'gid']),
  ReportWaits: record(
    {
      gid,
      scope: token('Chosen by the caller: the same for the same process at work for this gid.'),
      look: natural,
      waits: few(ref('DatabaseWait')),
      holders: few(ref('HolderWait')),
      connections: few(ref('Connection')),
    },
    ['gid', 'scope', 'look', 'waits', 'holders', 'connections'],
  ),
} as const satisfies Record<string, Schema>;
