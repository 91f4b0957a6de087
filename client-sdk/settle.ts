/** The object that `connect` gives: every word of the SDK's surface, types only. */
import type { HeadersOrGid, TransactionContext } from './context.ts';
import type { Database } from './participant/databases/detect.ts';
import type { StepDefinition, TccDefinition } from './participant/method.ts';
import type {
  Gid,
  Json,
  ListAnswer,
  ListRequest,
  Participant,
  TransactionAnswer,
  TransactionView,
} from './protocol/index.ts';
import type { AtDatabase } from './resource/at.ts';
import type { Explainable } from './resource/explain.ts';
import type { AtOptions } from './resource/resource.ts';
import type { RunOptions, RunOutcome } from './run.ts';
import type {
  CheckedSagaOptions,
  NoSteps,
  OfferedStep,
  ResultsOf,
  Saga,
  SagaOptions,
} from './saga.ts';
import type { BranchCall, CheckedTccDefinition } from './tcc.ts';
import type { TransactionOptions } from './transaction.ts';

/** A connected client. One per process and service is enough; it holds one WebSocket. */
export interface Settle extends AsyncDisposable {
  readonly service: string;
  readonly instance: string;
  /** Whether a coordinator can be asked at this moment. Requests wait for one by themselves. */
  readonly isConnected: boolean;
  /**
   * Resolves when the coordinator knows the methods defined so far: from then on it can call them.
   * Rejects with UNREACHABLE after 10 s.
   */
  ready(): Promise<void>;
  /**
   * Takes no more calls, lets requests and calls that are under way end (at most 5 s), closes. Safe
   * to repeat. A transaction whose callback still runs is not waited for: end those first, or they
   * roll back at their deadline.
   */
  close(): Promise<void>;

  /**
   * Offers a TCC method of this service and gives back the way to call it as a branch. With a
   * schema the caller's input is checked before anything is registered. CONFLICT when the name is
   * taken, INVALID_CONFIG when `db` is no database that the barrier knows.
   */
  tcc<Sent, Input, Result, Db extends Database | undefined = undefined>(
    name: string,
    definition: CheckedTccDefinition<Db, Sent, Input, Result>,
  ): BranchCall<Sent, Result>;
  tcc<Input, Result, Db extends Database | undefined = undefined>(
    name: string,
    definition: TccDefinition<Db, Input, Result>,
  ): BranchCall<Input, Result>;

  /** A TCC method that lives elsewhere; the types are a promise about it. */
  remote<Input = Json, Result = Json>(participant: Participant): BranchCall<Input, Result>;

  /**
   * Makes a database a resource whose plain SQL takes part in global transactions and is undone by
   * itself when they roll back; see docs/guides/at.md and `defineResource` for its errors. What it
   * gives back is of the same type, and says by `explain` what it would do with a statement.
   */
  at<Db extends AtDatabase>(db: Db, options: AtOptions): Db & Explainable;

  /** Runs the callback in a global transaction; see `runTransaction` for its errors. */
  transaction<T>(
    options: TransactionOptions,
    callback: (tx: TransactionContext) => T | Promise<T>,
  ): Promise<T>;

  /**
   * For code that changes rows of resources outside of any global transaction: what it changes is
   * committed only when no other global transaction has it, as in one of its own. On one database
   * that is a plain local transaction and a look at the undo rows, without the coordinator.
   */
  globalLock<T>(work: () => T | Promise<T>): Promise<T>;

  /**
   * Runs the work inside a transaction begun elsewhere, named by its gid or by the headers that
   * came with a request. It registers branches there and never decides.
   */
  join<T>(from: HeadersOrGid, work: () => T | Promise<T>): Promise<T>;

  /** Starts the definition of a saga; the input has the schema's type, or the one given. */
  saga<Sent, Input, Db extends Database | undefined = undefined>(
    name: string,
    options: CheckedSagaOptions<Db, Sent, Input>,
  ): Saga<Sent, Input, Db, NoSteps, never>;
  saga<Input = Json, Db extends Database | undefined = undefined>(
    name: string,
    options?: SagaOptions<Db>,
  ): Saga<Input, Input, Db, NoSteps, never>;

  /** Offers a step on its own, as a method of this service, for the sagas of others. */
  step<
    Input,
    Result,
    Results = Readonly<Record<string, Json>>,
    Db extends Database | undefined = undefined,
  >(name: string, definition: StepDefinition<Db, Input, Results, Result>): OfferedStep;

  /** Runs a saga; see `runSaga` for its errors. */
  run<Sent, Input, Db extends Database | undefined, Steps, Last extends keyof Steps & string>(
    saga: Saga<Sent, Input, Db, Steps, Last>,
    input: Sent,
    options?: RunOptions,
  ): Promise<RunOutcome<ResultsOf<Steps>>>;

  /** NOT_FOUND when there is no such gid (any more). */
  get(gid: Gid): Promise<TransactionView>;
  /**
   * Newest first unless `sort` says otherwise, paged by `cursor`: go on until `nextCursor` is null. A
   * page may be empty and not the last. INVALID_REQUEST for conditions that contradict each other.
   */
  list(filter?: ListRequest): Promise<ListAnswer>;
  /**
   * Rolls back a transaction, or a saga whose pivot was not asked; resolves when that is durable.
   * Idempotent. ALREADY_COMMITTED or PIVOT_STARTED when it is too late.
   */
  rollback(gid: Gid, reason?: string): Promise<TransactionAnswer>;
}
