/**
 * What the edge (HTTP, channel, command line) may ask of the engine. Callbacks, not promises: the
 * engine inside is promise-free, so that the simulator can order everything. Each `answered` is
 * called exactly once; an answer leaves only when what it says is durable.
 */
import type {
  BeginRequest,
  CallAnswer,
  DecideRequest,
  EpochMs,
  ErrorCode,
  GetRequest,
  Gid,
  ListAnswer,
  ListRequest,
  LogVerdict,
  Mode,
  OverviewSecond,
  Percentiles,
  Phase,
  RegisterRequest,
  ReportWaitsAnswer,
  ReportWaitsRequest,
  SubmitRequest,
  TransactionAnswer,
  TransactionQuery,
  TransactionView,
  TryAnswer,
  TryRequest,
  VerifyLogRequest,
} from '../../client-sdk/protocol/index.ts';
import type { HistogramCounts } from '../runtime/histogram.ts';
import type { OpenParticipant } from './open-participants.ts';
import type { OperateAnswer, OperateRequest } from './operate.ts';
import type { OperatorDesk } from './operator.ts';
import type { ReportedScope } from './wait-graph.ts';

export type { ReportedScope, ReportedWait } from './wait-graph.ts';

/** Nothing was done, and why. `retryAfterMs`: when the same request may be welcome. */
export interface Refusal {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly retryAfterMs?: number;
}
/** The log did not answer what was to be read: nothing is known, and it is asked again. */
export const logAway = {
  ok: false,
  code: 'LOG_UNAVAILABLE',
  detail: 'the log cannot be read at the moment',
  retryAfterMs: 1_000,
} as const satisfies Refusal;
/** What a request gets. */
export type Answer<T> = { readonly ok: true; readonly body: T } | Refusal;
/** Called exactly once. */
export type Answered<T> = (answer: Answer<T>) => void;

/** Requests must have passed the schemas of `api/`; the engine checks what depends on state. */
export interface Coordinator extends OperatorDesk, EngineSight {
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
  /** Who has a part in transactions that are open, by what is in memory. */
  openParticipants(): readonly OpenParticipant[];
  stats(): EngineStats;
}

/** What a query finds now. Those whose records cannot be read are not among them. */
export interface Matching {
  /** The oldest ones, at most as many as were asked for. */
  readonly gids: readonly Gid[];
  /** How many there are in all. */
  readonly total: number;
}

/** What those who look ask; nothing of it changes anything. */
export interface EngineSight {
  /** Open transactions, counted at most twice a second; the more there are, the less often. */
  census(): Census;
  /** What services owe to them, counted as often. Services that owe nothing are left out. */
  owed(): readonly Owed[];
  pulse(): PulseReport;
  /** Scopes whose last report, still alive, says that they wait for a lock. */
  lockWaits(): number;
  /** What services have reported of their waits in the last second. */
  reportedWaits(): readonly ReportedScope[];
  /** Those of these gids that are open and in memory. */
  openOnes(gids: Iterable<Gid>): readonly OpenTransaction[];
  /**
   * Tells of each gid that something happens to, perhaps more than once and before it is durable,
   * until the function that it gives is called. The watcher must not throw.
   */
  watch(watcher: (gid: Gid) => void): () => void;
  /** One page of the log, read back. LOG_UNAVAILABLE; INVALID_REQUEST for a foreign `after`. */
  verify(request: VerifyLogRequest, answered: Answered<LogVerdict>): void;
}

/** An open transaction in short; `phase` as it is durable. */
export interface OpenTransaction {
  readonly gid: Gid;
  readonly name: string;
  readonly phase: Phase;
  readonly startedAtMs: EpochMs;
  /** Resources under automatic undo that have a branch of it. */
  readonly resources: readonly { readonly service: string; readonly resource: string }[];
}

/** The phases that are not the end. */
export type OpenPhase = Exclude<Phase, 'committed' | 'rolledBack'>;

/** Open transactions, counted. */
export interface Census {
  readonly open: { readonly [phase in OpenPhase]: number };
  readonly oldestStartedAtMs: { readonly [phase in OpenPhase]: EpochMs | null };
  /** That need a human. */
  readonly attention: number;
  readonly oldestOpen: { readonly gid: Gid; readonly startedAtMs: EpochMs } | null;
  /** By number of the shard. */
  readonly shards: readonly { readonly open: number; readonly attention: number }[];
}

/** Operations of open transactions that a service has not answered `done`. */
export interface Owed {
  readonly service: string;
  readonly owed: number;
  /** Since when the oldest of them is owed, in this term. */
  readonly oldestAtMs: EpochMs;
  readonly lastError: string | null;
}

/** How fast things went: the last minutes, and (the histograms) since start. */
export interface PulseReport {
  /** Seconds that are over, oldest first, at most 300. */
  readonly seconds: readonly OverviewSecond[];
  readonly durationMs: Percentiles | null;
  readonly logMs: Percentiles | null;
  /** From begin to end. */
  readonly durations: {
    readonly [outcome in 'committed' | 'rolledBack']: { readonly [mode in Mode]: HistogramCounts };
  };
  readonly callMs: { readonly [outcome in CallAnswer['outcome']]: HistogramCounts };
  readonly appendMs: HistogramCounts;
  readonly commitRows: HistogramCounts;
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
  /** Waits in services that had to give way. */
  readonly deadlocks: number;
}
