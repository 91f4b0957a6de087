/** What users of @settle/client import. Exports only. */
export { type ConnectOptions, connect } from './connect.ts';
export {
  type ContextHeaders,
  currentTransaction,
  type HeadersOrGid,
  type TransactionContext,
} from './context.ts';
export type { Duration } from './duration.ts';
export { RetryableError, SettleError, TerminalError } from './errors.ts';
export type { Logger } from './logger.ts';
export type { Database, TrxOf } from './participant/databases/detect.ts';
export type {
  CallContext,
  RunArguments,
  StepDefinition,
  TccDefinition,
  TriedContext,
  UndoArguments,
} from './participant/method.ts';
export type * from './protocol/index.ts';
export type { AtDatabase } from './resource/at.ts';
export {
  type CompiledStatement,
  type ControlExplanation,
  type Explainable,
  type ExplainedColumn,
  type ExplainedTable,
  type Explanation,
  explanationText,
  type ReadExplanation,
  type RefusedExplanation,
  type SessionExplanation,
  type WriteExplanation,
} from './resource/explain.ts';
export type { AtOptions } from './resource/resource.ts';
export {
  type ShardRouter,
  type ShardRouterOptions,
  shardIndex,
  shardRouter,
} from './resource/shard-router.ts';
export type { RunOptions, RunOutcome } from './run.ts';
export type { LocalStep, OfferedStep, RemoteStep, ResultsOf, Saga, SagaOptions } from './saga.ts';
export type { Settle } from './settle.ts';
export type { StandardSchema } from './standard-schema.ts';
export type { BranchCall } from './tcc.ts';
export type { TransactionOptions } from './transaction.ts';
