/** JSON schemas of what operators look at, requests and answers; parts of those in shapes.ts. */
import { limits } from '../../client-sdk/protocol/index.ts';
import type { Schema } from './shapes.ts';

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

function record(properties: { readonly [name: string]: Schema }, required: string[]): Schema {
  return { type: 'object', properties, required, additionalProperties: false };
}

const gid: Schema = { type: 'string', pattern: limits.gidPattern };
const name: Schema = { type: 'string', pattern: limits.namePattern };
const pageMax = 500;

/** Requests, by name. */
export const lookoutSchemas = {
  OfGid: record({ gid }, ['gid']),
  Drain: record(
    {
      service: name,
      reason: {
        type: 'string',
        minLength: 1,
        maxLength: limits.reasonLengthMax,
        description: 'Why; kept in the audit.',
      },
      dryRun: { type: 'boolean', description: 'Tell what would be done, and do nothing.' },
    },
    ['service', 'reason'],
  ),
  Ping: record(
    {
      name: {
        type: 'string',
        minLength: 1,
        maxLength: limits.urlLengthMax,
        description: 'A service, or the address of a participant of an open transaction.',
      },
      timeoutMs: { type: 'integer', minimum: 50, maximum: 10_000, description: 'Default 2000.' },
    },
    [],
  ),
  VerifyLog: record(
    {
      after: { type: 'string', maxLength: 256, description: 'The `next` of the page before.' },
      limit: { type: 'integer', minimum: 1, maximum: pageMax },
    },
    [],
  ),
  Nothing: record({}, []),
} as const satisfies Record<string, Schema>;

function answer(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties) };
}

const text: Schema = { type: 'string' };
const textOrNull: Schema = { type: ['string', 'null'] };
const truth: Schema = { type: 'boolean' };
const number: Schema = { type: 'integer' };
const numberOrNull: Schema = { type: ['integer', 'null'] };
const list = (items: Schema): Schema => ({ type: 'array', items });
const orNull = (schema: Schema): Schema => ({ oneOf: [schema, { type: 'null' }] });
const phase: Schema = {
  type: 'string',
  enum: ['active', 'committing', 'committed', 'rollingBack', 'rolledBack'],
};

/** Answers, by name. */
export const lookoutAnswerSchemas = {
  TimelineAnswer: answer({ gid: text, entries: list(ref('TimelineEntry')) }),
  TimelineEntry: answer({
    seq: { ...number, description: 'The row of the log that it stands in.' },
    ...{ atMs: number, epoch: number, kind: text, branchId: numberOrNull, text },
    operator: orNull(answer({ who: text, reason: text })),
  }),
  Explanation: answer({
    ...{ gid: text, phase, why: text, next: text, nextAtMs: numberOrNull },
    remedies: list(answer({ text, command: textOrNull })),
  }),
  Percentiles: answer({ p50: { type: 'number' }, p99: { type: 'number' } }),
  CountsByMode: answer({ transaction: number, saga: number }),
  OverviewSecond: answer({
    atMs: number,
    begun: ref('CountsByMode'),
    committed: ref('CountsByMode'),
    rolledBack: ref('CountsByMode'),
  }),
  OverviewView: answer({
    atMs: number,
    state: text,
    open: answer({ active: number, committing: number, rollingBack: number }),
    attention: number,
    oldestOpen: orNull(answer({ gid: text, startedAtMs: number })),
    seconds: list(ref('OverviewSecond')),
    durationMs: orNull(ref('Percentiles')),
    logMs: orNull(ref('Percentiles')),
    lockWaits: number,
    connectedInstances: number,
  }),
  ParticipantsAnswer: answer({ participants: list(ref('ParticipantView')) }),
  ParticipantView: answer({
    service: text,
    instances: list(
      answer({ instance: text, methods: list(text), callsInFlight: number, connectedAtMs: number }),
    ),
    ...{ owed: number, oldestOwedAtMs: numberOrNull, lastError: textOrNull, isDrained: truth },
  }),
  PingAnswer: answer({ pings: list(ref('PingView')), left: number }),
  PingView: answer({
    name: text,
    instance: textOrNull,
    outcome: { type: 'string', enum: ['answered', 'unsupported', 'noAnswer', 'unreachable'] },
    roundTripMs: { type: ['number', 'null'] },
    version: textOrNull,
    detail: textOrNull,
  }),
  LockGraphAnswer: answer({
    atMs: number,
    waits: list(ref('LockWait')),
    transactions: list(ref('LockedTransaction')),
    cycles: list(list(text)),
    unasked: list(answer({ who: text, detail: text })),
    isCut: truth,
  }),
  LockWait: answer({
    gid: text,
    kind: { type: 'string', enum: ['lock', 'decision'] },
    database: { ...textOrNull, description: 'service/resource.' },
    waitsFor: { ...textOrNull, description: 'A gid; null: none is known of that connection.' },
    connection: numberOrNull,
    ...{ sinceMs: number, isInCycle: truth, givesWay: truth },
  }),
  LockedTransaction: answer({
    ...{ gid: text, name: textOrNull, phase: orNull(phase), startedAtMs: numberOrNull },
    isWaiting: truth,
    connections: list(answer({ database: text, id: number })),
    rows: list({ allOf: [ref('HeldLock'), answer({ database: text })] }),
    isRowsCut: truth,
  }),
  DrainAnswer: answer({
    service: text,
    isDrained: truth,
    auditSeq: { ...numberOrNull, description: 'Its entry in the audit; null of a dry run.' },
    dryRun: truth,
  }),
  NodesAnswer: answer({ nodes: list(ref('NodeView')) }),
  NodeView: answer({
    ...{ node: text, address: text, epoch: number, isThis: truth, state: text, version: text },
    startedAtMs: numberOrNull,
  }),
  ShardsAnswer: answer({ shards: list(ref('ShardView')) }),
  ShardView: answer({ shard: number, node: text, open: number, attention: number }),
  LogView: answer({
    ...{ url: text, epoch: number, commits: number, rows: number, unknownAppends: number },
    ...{ conflicts: number, pendingRows: number, logMs: orNull(ref('Percentiles')) },
  }),
  LogVerdict: answer({
    checked: number,
    faults: list(answer({ gid: text, what: text })),
    next: textOrNull,
  }),
  ConfigView: answer({
    settings: list(
      answer({ name: text, value: { description: 'Secrets are hidden.' }, origin: text }),
    ),
  }),
} as const satisfies Record<string, Schema>;
