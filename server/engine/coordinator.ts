/**
 * What the edge (HTTP, channel, command line) may ask of the engine. Callbacks, not promises: the
 * engine inside is promise-free, so that the simulator can order everything. Each `answered` is
 * called exactly once; an answer leaves only when what it says is durable.
 */
import type {
  BeginRequest,
  DecideRequest,
  ErrorCode,
  GetRequest,
  Gid,
  ListAnswer,
  ListRequest,
  RegisterRequest,
  ReportWaitsAnswer,
  ReportWaitsRequest,
  SubmitRequest,
  TransactionAnswer,
  TransactionQuery,
  TransactionView,
  TryAnswer,
  TryRequest,
} from '../../client-sdk/protocol/index.ts';
import type { OperateAnswer, OperateRequest } from './operate.ts';
import type { OperatorDesk } from './operator.ts';

/** Nothing was done, and why. `retryAfterMs`: when the same request may be welcome. */
export interface Refusal {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly retryAfterMs?: number;
}
/** What a request gets. */
export type Answer<T> = { readonly ok: true; readonly body: T } | Refusal;
/** Called exactly once. */
export type Answered<T> = (answer: Answer<T>) => void;

/** Requests must have passed the schemas of `api/`; the engine checks what depends on state. */
export interface Coordinator extends OperatorDesk {
  begin(request: BeginRequest, answered: Answered<TransactionAnswer>): void;
  register(request: RegisterRequest, answered: Answered<TransactionAnswer>): void;
  tryBranch(request: TryRequest, answered: Answered<TryAnswer>): void;
  decide(request: DecideRequest, answered: Answered<TransactionAnswer>): void;
  submit(request: SubmitRequest, answered: Answered<TransactionAnswer>): void;
  get(request: GetRequest, answered: Answered<TransactionView>): void;
  list(request: ListRequest, answered: Answered<ListAnswer>): void;
  /** What an operator does to one transaction. */
  operate(request: OperateRequest, answered: Answered<OperateAnswer>): void;
  /** Kept in memory only; the gid need not be known. */
  reportWaits(request: ReportWaitsRequest, answered: Answered<ReportWaitsAnswer>): void;
  /**
   * Open transactions that a query finds, for work on many: INVALID_REQUEST when it asks for others,
   * LOG_UNAVAILABLE as long as not all of them have been read back.
   */
  matching(query: TransactionQuery, limit: number, answered: Answered<Matching>): void;
  stats(): EngineStats;
}

/** What a query finds now. Those whose records cannot be read are not among them. */
export interface Matching {
  /** The oldest ones, at most as many as were asked for. */
  readonly gids: readonly Gid[];
  /** How many there are in all. */
  readonly total: number;
}

type ByMode = { readonly transaction: number; readonly saga: number };

/** Counters since start, and gauges; `/metrics` shows them. */
export interface EngineStats {
  /** `recovering`: open gids are still being read; requests are served all the same. */
  readonly state: 'starting' | 'recovering' | 'running' | 'stopping' | 'fenced' | 'stopped';
  readonly epoch: number;
  readonly begun: ByMode;
  readonly committed: ByMode;
  readonly rolledBack: ByMode;
  /** Urgent records: somebody on the initiator's path waited for their commit. */
  readonly durableWaits: ByMode;
  /** Answers that waited for a lazy record (the last step of a saga). */
  readonly lazyWaits: ByMode;
  readonly attentionRaised: number;
  /** Gauges. */
  readonly open: number;
  readonly pendingRows: number;
  readonly oldestPendingMs: number;
  readonly timers: number;
  readonly callsInFlight: number;
  readonly commits: number;
  readonly rows: number;
  readonly unknownAppends: number;
  readonly conflicts: number;
  readonly calls: {
    readonly done: number;
    readonly refused: number;
    readonly ongoing: number;
    readonly unknown: number;
  };
  readonly retries: number;
  readonly recovered: number;
}
