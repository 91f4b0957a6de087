/** JSON schemas of what operators look at, requests and answers; parts of those in shapes.ts. */
import { limits } from '../../client-sdk/protocol/index.ts';
import {
  answer,
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

/** Requests, by name. */
export const lookoutSchemas = {
  OfGid: record({ gid }, ['gid']),
  Drain: record(
    {
      service: name,
      reason: reason('the audit'),
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
      limit: pageLimit,
    },
    [],
  ),
  Nothing: record({}, []),
} as const satisfies Record<string, Schema>;

/** Answers, by name. */
export const lookoutAnswerSchemas = {
  TimelineAnswer: answer({ gid: text, entries: listOf(ref('TimelineEntry')) }),
  TimelineEntry: answer({
    seq: { ...integer, description: 'The row of the log that it stands in.' },
    ...{ atMs: integer, epoch: integer, kind: text, branchId: integerOrNull, text },
    operator: orNull(answer({ who: text, reason: text })),
  }),
  Explanation: answer({
    ...{ gid: text, phase, why: text, next: text, nextAtMs: integerOrNull },
    remedies: listOf(answer({ text, command: textOrNull })),
  }),
  Percentiles: answer({ p50: { type: 'number' }, p99: { type: 'number' } }),
  CountsByMode: answer({ transaction: integer, saga: integer }),
  OverviewSecond: answer({
    atMs: integer,
    begun: ref('CountsByMode'),
    committed: ref('CountsByMode'),
    rolledBack: ref('CountsByMode'),
  }),
  OverviewView: answer({
    atMs: integer,
    state: text,
    open: answer({ active: integer, committing: integer, rollingBack: integer }),
    attention: integer,
    oldestOpen: orNull(answer({ gid: text, startedAtMs: integer })),
    seconds: listOf(ref('OverviewSecond')),
    durationMs: orNull(ref('Percentiles')),
    logMs: orNull(ref('Percentiles')),
    lockWaits: integer,
    connectedInstances: integer,
  }),
  ParticipantsAnswer: answer({ participants: listOf(ref('ParticipantView')) }),
  ParticipantView: answer({
    service: text,
    instances: listOf(
      answer({
        instance: text,
        methods: listOf(text),
        callsInFlight: integer,
        connectedAtMs: integer,
      }),
    ),
    ...{ owed: integer, oldestOwedAtMs: integerOrNull, lastError: textOrNull, isDrained: truth },
  }),
  PingAnswer: answer({ pings: listOf(ref('PingView')), left: integer }),
  PingView: answer({
    name: text,
    instance: textOrNull,
    outcome: { type: 'string', enum: ['answered', 'unsupported', 'noAnswer', 'unreachable'] },
    roundTripMs: { type: ['number', 'null'] },
    version: textOrNull,
    detail: textOrNull,
  }),
  LockGraphAnswer: answer({
    atMs: integer,
    waits: listOf(ref('LockWait')),
    transactions: listOf(ref('LockedTransaction')),
    cycles: listOf(listOf(text)),
    unasked: listOf(answer({ who: text, detail: text })),
    isCut: truth,
  }),
  LockWait: answer({
    gid: text,
    kind: { type: 'string', enum: ['lock', 'decision'] },
    database: { ...textOrNull, description: 'service/resource.' },
    waitsFor: { ...textOrNull, description: 'A gid; null: none is known of that connection.' },
    connection: integerOrNull,
    ...{ sinceMs: integer, isInCycle: truth, givesWay: truth },
  }),
  LockedTransaction: answer({
    ...{ gid: text, name: textOrNull, phase: orNull(phase), startedAtMs: integerOrNull },
    isWaiting: truth,
    connections: listOf(answer({ database: text, id: integer })),
    rows: listOf({ allOf: [ref('HeldLock'), answer({ database: text })] }),
    isRowsCut: truth,
  }),
  DrainAnswer: answer({
    service: text,
    isDrained: truth,
    auditSeq: { ...integerOrNull, description: 'Its entry in the audit; null of a dry run.' },
    dryRun: truth,
  }),
  NodesAnswer: answer({ nodes: listOf(ref('NodeView')) }),
  NodeView: answer({
    ...{ node: text, address: text, epoch: integer, isThis: truth, state: text, version: text },
    startedAtMs: integerOrNull,
  }),
  ShardsAnswer: answer({ shards: listOf(ref('ShardView')) }),
  ShardView: answer({ shard: integer, node: text, open: integer, attention: integer }),
  LogView: answer({
    ...{ url: text, epoch: integer, commits: integer, rows: integer, unknownAppends: integer },
    ...{ conflicts: integer, pendingRows: integer, logMs: orNull(ref('Percentiles')) },
  }),
  LogVerdict: answer({
    checked: integer,
    faults: listOf(answer({ gid: text, what: text })),
    next: textOrNull,
  }),
  ConfigView: answer({
    settings: listOf(
      answer({ name: text, value: { description: 'Secrets are hidden.' }, origin: text }),
    ),
  }),
} as const satisfies Record<string, Schema>;
