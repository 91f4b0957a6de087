/**
 * JSON schemas of what operators ask the desk for, and of what they are answered; parts of those in
 * shapes.ts and answer-shapes.ts. What no schema can say about a request is at the end.
 */
import { limits, type OperationRequest } from '../../client-sdk/protocol/index.ts';
import type { Fault } from './schemas.ts';
import type { Schema } from './shapes.ts';

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

function record(properties: { readonly [name: string]: Schema }, required: string[]): Schema {
  return { type: 'object', properties, required, additionalProperties: false };
}

const gid: Schema = { type: 'string', pattern: limits.gidPattern };
const name: Schema = { type: 'string', pattern: limits.namePattern };
const time: Schema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const mode: Schema = { type: 'string', enum: ['transaction', 'saga'] };
const phase: Schema = {
  type: 'string',
  enum: ['active', 'committing', 'committed', 'rollingBack', 'rolledBack'],
};
const operation: Schema = {
  type: 'string',
  enum: ['confirm', 'cancel', 'run', 'undo', 'commit', 'rollback'],
};

/** Requests, by name. */
export const deskSchemas = {
  TransactionQuery: record(
    {
      mode,
      name,
      gid: { ...gid, description: 'How the gid begins.' },
      outcome: { type: 'string', enum: ['open', 'committed', 'rolledBack'] },
      phase,
      attention: { type: 'boolean' },
      label: { type: 'string', maxLength: limits.labelLengthMax, description: '`key=value`.' },
      startedAfterMs: time,
      startedBeforeMs: time,
      service: name,
      method: name,
      error: { type: 'string', minLength: 1, maxLength: 128, description: 'A part of it.' },
    },
    [],
  ),
  Operate: record(
    {
      action: { type: 'string', enum: ['retry', 'rollback', 'skip', 'resolve'] },
      gids: { type: 'array', items: gid, minItems: 1, maxItems: limits.operationGidsMax },
      query: ref('TransactionQuery'),
      branchId: { type: 'integer', minimum: 1, maximum: limits.branchesMax },
      operation: { ...operation, description: 'Which the branch was seen to owe.' },
      result: { description: 'Of a `run` that is skipped: what it is said to have given.' },
      reason: {
        type: 'string',
        minLength: 1,
        maxLength: limits.reasonLengthMax,
        description: 'Why; kept in the audit.',
      },
      dryRun: { type: 'boolean', description: 'Tell what would be done, and do nothing.' },
      countMax: { ...time, description: 'Refuse when the query finds more by now.' },
    },
    ['action', 'reason'],
  ),
  Audit: record({ limit: { type: 'integer', minimum: 1, maximum: 256 }, before: time }, []),
  VerifyAudit: record({}, []),
  Doctor: record({}, []),
} as const satisfies Record<string, Schema>;

function answer(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties) };
}

const text: Schema = { type: 'string' };
const any: Schema = { description: 'Any JSON.' };
const number: Schema = { type: 'integer' };
const numberOrNull: Schema = { type: ['integer', 'null'] };
const hash: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' };

/** Answers, by name. */
export const deskAnswerSchemas = {
  OperationAnswer: answer({
    auditSeq: { ...numberOrNull, description: 'Its entry in the audit; null of a dry run.' },
    dryRun: { type: 'boolean' },
    matched: { ...number, description: 'In all; the rest is done by asking again.' },
    results: { type: 'array', items: ref('OperationResult') },
  }),
  OperationResult: answer({
    gid: text,
    name: text,
    before: { oneOf: [phase, { type: 'null' }] },
    after: { oneOf: [phase, { type: 'null' }] },
    error: { oneOf: [answer({ code: text, detail: text }), { type: 'null' }] },
  }),
  AuditAnswer: answer({
    entries: { type: 'array', items: ref('AuditEntry') },
    nextBefore: numberOrNull,
  }),
  AuditEntry: answer({
    ...{ seq: number, atMs: number, who: text, action: text, reason: text },
    stage: { type: 'string', enum: ['asked', 'done'] },
    of: { ...numberOrNull, description: 'Of `done`: which one was asked.' },
    ...{ target: any, before: any, after: any, previous: hash, hash },
  }),
  AuditVerdict: answer({ entries: number, head: hash, brokenAt: numberOrNull }),
  DoctorAnswer: answer({ atMs: number, findings: { type: 'array', items: ref('Finding') } }),
  Finding: answer({
    check: { ...text, description: 'Stable, such as `log.schema`.' },
    level: { type: 'string', enum: ['ok', 'note', 'problem'] },
    seen: text,
    remedy: { type: ['string', 'null'] },
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
