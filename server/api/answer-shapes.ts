/**
 * JSON schemas of the answers, for /openapi.json only: what we send is typed, not validated. A test
 * checks real answers against them, so that they cannot drift.
 */
import { errorTable } from '../../client-sdk/protocol/index.ts';
import { deskAnswerSchemas } from './desk-shapes.ts';
import { lookoutAnswerSchemas } from './lookout-shapes.ts';
import { ref, type Schema } from './shapes.ts';
import { undoAnswerSchemas } from './undo-shapes.ts';

const text: Schema = { type: 'string' };
const textOrNull: Schema = { type: ['string', 'null'] };
const time: Schema = { type: 'integer', description: 'Milliseconds since 1970-01-01 UTC.' };
const timeOrNull: Schema = { ...time, type: ['integer', 'null'] };
const orNull = (name: string): Schema => ({ oneOf: [ref(name), { type: 'null' }] });
const mode: Schema = { type: 'string', enum: ['transaction', 'saga'] };
const phase: Schema = {
  type: 'string',
  enum: ['active', 'committing', 'committed', 'rollingBack', 'rolledBack'],
};

function answer(properties: Readonly<Record<string, Schema>>, optional: string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required };
}

const transactionFields = {
  gid: text,
  mode,
  phase,
  cause: orNull('Cause'),
  deadlineAtMs: timeOrNull,
  branchIds: { type: 'array', items: { type: 'integer' } },
  results: { type: 'object', description: 'Results of a committed saga by step name.' },
} as const satisfies Record<string, Schema>;

const onlySometimes = ['branchIds', 'results'];

/** Shapes of the answers by name; part of `components.schemas`. */
export const answerSchemas = {
  ...deskAnswerSchemas,
  ...lookoutAnswerSchemas,
  ...undoAnswerSchemas,
  Cause: answer(
    {
      kind: {
        type: 'string',
        enum: ['initiator', 'deadline', 'refused', 'attempts', 'completed', 'operator'],
      },
      detail: text,
      branchId: { type: 'integer' },
    },
    ['detail', 'branchId'],
  ),
  Attention: answer({
    reason: { type: 'string', enum: ['retries', 'refused', 'unreadable'] },
    branchId: { type: ['integer', 'null'] },
    detail: text,
    atMs: time,
  }),
  TransactionAnswer: answer(transactionFields, onlySometimes),
  TryAnswer: answer({ result: { description: 'What the try answered.' } }),
  BranchView: answer({
    branchId: { type: 'integer' },
    name: textOrNull,
    kind: { type: 'string', enum: ['tcc', 'at', 'step'] },
    participant: ref('Participant'),
    state: {
      type: 'string',
      enum: [
        'registered',
        'waiting',
        'asked',
        'done',
        'confirmed',
        'cancelled',
        'committed',
        'rolledBack',
        'undone',
      ],
    },
    operation: textOrNull,
    attempts: { type: 'integer' },
    nextAttemptAtMs: timeOrNull,
    lastError: textOrNull,
    result: { description: 'Result of a step, or null.' },
  }),
  TransactionView: answer(
    {
      ...transactionFields,
      name: text,
      attention: orNull('Attention'),
      labels: ref('Labels'),
      startedAtMs: time,
      decidedAtMs: timeOrNull,
      finishedAtMs: timeOrNull,
      branches: { type: 'array', items: ref('BranchView') },
    },
    onlySometimes,
  ),
  TransactionSummary: answer({
    gid: text,
    mode,
    name: text,
    phase,
    cause: orNull('Cause'),
    attention: orNull('Attention'),
    startedAtMs: time,
    deadlineAtMs: timeOrNull,
    finishedAtMs: timeOrNull,
    labels: ref('Labels'),
    services: { type: 'array', items: text, description: 'Of an open one; else empty.' },
    lastError: {
      ...textOrNull,
      description: 'Of the operation that was asked most often in vain.',
    },
    attempts: { type: 'integer', description: 'Of that operation, in this term.' },
    nextAttemptAtMs: timeOrNull,
  }),
  ListAnswer: answer({
    transactions: { type: 'array', items: ref('TransactionSummary') },
    nextCursor: {
      ...textOrNull,
      description: 'A page may hold fewer than its limit, even none, and not be the last.',
    },
  }),
  ReportWaitsAnswer: answer({ giveWay: orNull('GivenWay') }),
  GivenWay: answer({ wait: { type: 'integer' }, to: text }),
  Problem: answer(
    {
      type: text,
      title: text,
      status: { type: 'integer' },
      code: { type: 'string', enum: Object.keys(errorTable) },
      detail: text,
      remedy: text,
      gid: text,
      retryAfterMs: { type: 'integer' },
    },
    ['gid', 'retryAfterMs'],
  ),
} as const satisfies Record<string, Schema>;
