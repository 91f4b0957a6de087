/**
 * JSON schemas of the answers, for /openapi.json only: what we send is typed, not validated. A test
 * checks real answers against them, so that they cannot drift.
 */
import { errorTable } from '../../client-sdk/protocol/index.ts';
import { deskAnswerSchemas } from './desk-shapes.ts';
import { lookoutAnswerSchemas } from './lookout-shapes.ts';
import {
  answer,
  integer,
  integerOrNull,
  listOf,
  mode,
  orNull,
  phase,
  ref,
  type Schema,
  text,
  textOrNull,
} from './schema-parts.ts';
import { undoAnswerSchemas } from './undo-shapes.ts';

const time: Schema = { type: 'integer', description: 'Milliseconds since 1970-01-01 UTC.' };
const timeOrNull: Schema = { ...time, type: ['integer', 'null'] };
const transactionFields = {
  gid: text,
  mode,
  phase,
  cause: orNull(ref('Cause')),
  deadlineAtMs: timeOrNull,
  branchIds: listOf(integer),
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
      branchId: integer,
    },
    ['detail', 'branchId'],
  ),
  Attention: answer({
    reason: { type: 'string', enum: ['retries', 'refused', 'unreadable'] },
    branchId: integerOrNull,
    detail: text,
    atMs: time,
  }),
  TransactionAnswer: answer(transactionFields, onlySometimes),
  TryAnswer: answer({ result: { description: 'What the try answered.' } }),
  BranchView: answer({
    branchId: integer,
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
    attempts: integer,
    nextAttemptAtMs: timeOrNull,
    lastError: textOrNull,
    result: { description: 'Result of a step, or null.' },
  }),
  TransactionView: answer(
    {
      ...transactionFields,
      name: text,
      attention: orNull(ref('Attention')),
      labels: ref('Labels'),
      startedAtMs: time,
      decidedAtMs: timeOrNull,
      finishedAtMs: timeOrNull,
      branches: listOf(ref('BranchView')),
    },
    onlySometimes,
  ),
  TransactionSummary: answer({
    gid: text,
    mode,
    name: text,
    phase,
    cause: orNull(ref('Cause')),
    attention: orNull(ref('Attention')),
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
    transactions: listOf(ref('TransactionSummary')),
    nextCursor: {
      ...textOrNull,
      description: 'A page may hold fewer than its limit, even none, and not be the last.',
    },
  }),
  ReportWaitsAnswer: answer({ giveWay: orNull(ref('GivenWay')) }),
  GivenWay: answer({ wait: integer, to: text }),
  Problem: answer(
    {
      type: text,
      title: text,
      status: integer,
      code: { type: 'string', enum: Object.keys(errorTable) },
      detail: text,
      remedy: text,
      gid: text,
      retryAfterMs: integer,
    },
    ['gid', 'retryAfterMs'],
  ),
} as const satisfies Record<string, Schema>;
