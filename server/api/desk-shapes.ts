/**
 * JSON schemas of what operators ask the desk for, and of what they are answered; parts of those in
 * shapes.ts and answer-shapes.ts. What no schema can say about a request is at the end.
 */
import { limits, type OperationRequest } from '../../client-sdk/protocol/index.ts';
import { queryFields } from './query-shape.ts';
import {
  answer,
  branchId,
  gid,
  integer,
  integerOrNull,
  listOf,
  natural,
  orNull,
  phase,
  reason,
  record,
  ref,
  type Schema,
  text,
  textOrNull,
  truth,
} from './schema-parts.ts';
import type { Fault } from './schemas.ts';

const operation: Schema = {
  type: 'string',
  enum: ['confirm', 'cancel', 'run', 'undo', 'commit', 'rollback'],
};

/** Requests, by name. */
export const deskSchemas = {
  TransactionQuery: record(queryFields, []),
  Operate: record(
    {
      action: { type: 'string', enum: ['retry', 'rollback', 'skip', 'resolve'] },
      gids: { type: 'array', items: gid, minItems: 1, maxItems: limits.operationGidsMax },
      query: ref('TransactionQuery'),
      branchId,
      operation: { ...operation, description: 'Which the branch was seen to owe.' },
      result: { description: 'Of a `run` that is skipped: what it is said to have given.' },
      reason: reason('the audit'),
      dryRun: { type: 'boolean', description: 'Tell what would be done, and do nothing.' },
      countMax: { ...natural, description: 'Refuse when the query finds more by now.' },
    },
    ['action', 'reason'],
  ),
  Audit: record({ limit: { type: 'integer', minimum: 1, maximum: 256 }, before: natural }, []),
  VerifyAudit: record({}, []),
  Doctor: record({}, []),
} as const satisfies Record<string, Schema>;

const anyJson: Schema = { description: 'Any JSON.' };
const hash: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' };

/** Answers, by name. */
export const deskAnswerSchemas = {
  OperationAnswer: answer({
    auditSeq: { ...integerOrNull, description: 'Its entry in the audit; null of a dry run.' },
    dryRun: truth,
    matched: { ...integer, description: 'In all; the rest is done by asking again.' },
    results: listOf(ref('OperationResult')),
  }),
  OperationResult: answer({
    gid: text,
    name: text,
    before: orNull(phase),
    after: orNull(phase),
    error: orNull(answer({ code: text, detail: text })),
  }),
  AuditAnswer: answer({
    entries: listOf(ref('AuditEntry')),
    nextBefore: integerOrNull,
  }),
  AuditEntry: answer({
    ...{ seq: integer, atMs: integer, who: text, action: text, reason: text },
    stage: { type: 'string', enum: ['asked', 'done'] },
    of: { ...integerOrNull, description: 'Of `done`: which one was asked.' },
    ...{ target: anyJson, before: anyJson, after: anyJson, previous: hash, hash },
  }),
  AuditVerdict: answer({ entries: integer, head: hash, brokenAt: integerOrNull }),
  DoctorAnswer: answer({ atMs: integer, findings: listOf(ref('Finding')) }),
  Finding: answer({
    check: { ...text, description: 'Stable, such as `log.schema`.' },
    level: { type: 'string', enum: ['ok', 'note', 'problem'] },
    seen: text,
    remedy: textOrNull,
  }),
} as const satisfies Record<string, Schema>;

/** Null when it is fine. Bodies have passed their schema. */
export function operateFault(body: unknown): Fault | null {
  const { action, gids, query, branchId, operation, result, countMax } = body as OperationRequest;
  if ((gids === undefined) === (query === undefined)) return invalid('give either gids or query');
  const isSkip = action === 'skip';
  const isNamed = branchId !== undefined && operation !== undefined;
  if (isSkip !== isNamed || (!isSkip && (branchId ?? operation ?? result) !== undefined)) {
    return invalid('branchId and operation belong to skip, and skip needs both');
  }
  if (isSkip && gids?.length !== 1) return invalid('gids: skip is for one transaction at a time');
  if (result !== undefined && operation !== 'run') return invalid('result: only a run has one');
  if (countMax !== undefined && query === undefined) return invalid('countMax: belongs to a query');
  return null;
}

function invalid(detail: string): Fault {
  return { code: 'INVALID_REQUEST', detail };
}
