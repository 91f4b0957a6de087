/** Requests of an initiator and the answers to them: the same bodies over HTTP and over the channel. */
import type { TransactionQuery } from './desk.ts';
import type { ErrorCode } from './errors.ts';
import type { Traceparent } from './trace.ts';
import type {
  Attention,
  BranchId,
  BranchKind,
  Cause,
  Direction,
  EpochMs,
  Gid,
  Json,
  Mode,
  Participant,
  Phase,
} from './words.ts';

/**
 * A branch to be registered; without `kind` it is tcc. The payload of a tcc branch goes to try, confirm
 * and cancel alike (≤ 64 KiB of JSON). An at branch has none: INVALID_REQUEST unless absent or null.
 */
export interface BranchSpec {
  readonly kind?: BranchKind;
  readonly participant: Participant;
  readonly payload?: Json;
}

/** A step of a saga. */
export interface StepSpec {
  /** Unique in the saga; later steps and undo find the result under it. */
  readonly name: string;
  readonly participant: Participant;
  /** Names of steps defined earlier that must be done first. Default: the step before; `[]`: none. */
  readonly after?: readonly string[];
  /** Forward attempts with unknown outcome before the saga rolls back. Default 3; not for a pivot. */
  readonly attempts?: number;
  /** Once this step is asked only its own refusal can roll the saga back; once it is done, nothing can. */
  readonly pivot?: boolean;
}

/** `POST /v1/transactions`. Idempotent by gid and content; other content answers CONFLICT. */
export interface BeginRequest {
  readonly gid: Gid;
  readonly name?: string;
  /** Undecided after this time, it rolls back. 10 ms .. 30 days, default 30 s. */
  readonly timeoutMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Branches known at the beginning; they share the one durable record. */
  readonly branches?: readonly BranchSpec[];
  /** Where it begins in the initiator's trace. No part of the content; that of the first begin stays. */
  readonly traceparent?: Traceparent;
}

/** `POST /v1/transactions/{gid}/branches`. Idempotent by `request`. Durable before any try may run. */
export interface RegisterRequest {
  readonly gid: Gid;
  /** Chosen by the caller, unique in the gid, 1..64 of the gid grammar: a repeat gets the same branch ids. */
  readonly request: string;
  readonly branches: readonly BranchSpec[];
}

/** `POST /v1/transactions/{gid}/branches/{branchId}/try`: the coordinator passes the try on to the participant. INVALID_REQUEST for a branch of kind `at`: it has no try. */
export interface TryRequest {
  readonly gid: Gid;
  readonly branchId: BranchId;
  /** Who asks; default: that of the begin. */
  readonly traceparent?: Traceparent;
}

/** `POST /v1/transactions/{gid}/commit`, `…/rollback`, `POST /v1/sagas/{gid}/rollback`. Idempotent. */
export interface DecideRequest {
  readonly gid: Gid;
  readonly direction: Direction;
  /** Kept as `cause.detail`. */
  readonly reason?: string;
  /** `decided`: answer when the decision is durable. `completed` (default): when phase two is done, or after `waitMs`. */
  readonly wait?: 'decided' | 'completed';
  /** How long `completed` may wait after the decision; default 2,000, at most 60,000. */
  readonly waitMs?: number;
}

/** `POST /v1/sagas`. Idempotent by gid and content; other content answers CONFLICT. */
export interface SubmitRequest {
  readonly gid: Gid;
  readonly name: string;
  readonly input?: Json;
  readonly steps: readonly StepSpec[];
  /** Not finished after this time, it rolls back (unless the pivot was asked). Default: no deadline. */
  readonly timeoutMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** `submitted`: answer when the saga is durable. `completed` (default): when it is finished, or after `waitMs`. */
  readonly wait?: 'submitted' | 'completed';
  /** How long `completed` may wait; default 30,000, at most 60,000. Then the answer shows the phase it is in. */
  readonly waitMs?: number;
  /** As for {@link BeginRequest}. */
  readonly traceparent?: Traceparent;
}

/** `GET /v1/transactions/{gid}`, `GET /v1/sagas/{gid}`. With `wait`, as for {@link DecideRequest}. */
export interface GetRequest {
  readonly gid: Gid;
  readonly wait?: 'decided' | 'completed';
  readonly waitMs?: number;
}

/**
 * `POST /v1/transactions/{gid}/waits`: what one scope (a process that works for this gid) waits for
 * now, and which connections it has. Said again while it waits; each time it takes the place of what
 * this scope said before. Kept in memory, for two seconds. The gid need not be begun.
 */
export interface ReportWaitsRequest {
  readonly gid: Gid;
  /** Chosen by the caller, 1..64 of the gid grammar: the same for the same scope. */
  readonly scope: string;
  /** Counts up with each look of the scope: a report that comes twice says nothing new. */
  readonly look: number;
  readonly waits: readonly DatabaseWait[];
  readonly holders: readonly HolderWait[];
  /** Of its open local transactions, whether they wait or not. */
  readonly connections: readonly DatabaseConnection[];
}

/** A connection of a database. */
export interface DatabaseConnection {
  /** The same from whichever service it is reached, another for every other one; gid grammar. */
  readonly database: string;
  /** As the database numbers its connections. */
  readonly id: number;
}

/** A statement that waits for a lock in a database. */
export interface DatabaseWait {
  /** Of the wait, unique in its scope: the next statement that waits has another one. */
  readonly id: number;
  readonly database: string;
  /** The connections that it waits for, as the database says. */
  readonly blockers: readonly number[];
}

/** A wait for the decision of another gid, whose undo row is in the way. */
export interface HolderWait {
  /** As for {@link DatabaseWait}. */
  readonly id: number;
  readonly gid: Gid;
}

/** The state that every answer shows. It was durable before the answer left. */
export interface TransactionAnswer {
  readonly gid: Gid;
  readonly mode: Mode;
  readonly phase: Phase;
  readonly cause: Cause | null;
  readonly deadlineAtMs: EpochMs | null;
  /** Ids of the branches that this request registered, in its order (begin and register). */
  readonly branchIds?: readonly BranchId[];
  /** Results by step name of a saga that has committed. */
  readonly results?: Readonly<Record<string, Json>>;
}

/** Answer to a try that went through the coordinator. */
export interface TryAnswer {
  readonly result: Json;
}

/** Answer to {@link ReportWaitsRequest}. */
export interface ReportWaitsAnswer {
  /** The wait that is to be ended, because it is part of a deadlock; null: go on waiting. */
  readonly giveWay: GivenWay | null;
}

/** Who gives way to whom. */
export interface GivenWay {
  /** The id of the wait. */
  readonly wait: number;
  /** The gid that it waits for, and that waits for it, perhaps through others. */
  readonly to: Gid;
}

/** One branch (or step) as `get` shows it. */
export interface BranchView {
  readonly branchId: BranchId;
  readonly name: string | null;
  readonly kind: BranchKind | 'step';
  readonly participant: Participant;
  /**
   * `waiting`: not asked yet. `asked`: an operation is owed. The rest: what came of it (tcc: `confirmed`
   * or `cancelled`; at: `committed` or `rolledBack`; step: `done` or `undone`).
   */
  readonly state:
    | 'registered'
    | 'waiting'
    | 'asked'
    | 'done'
    | 'confirmed'
    | 'cancelled'
    | 'committed'
    | 'rolledBack'
    | 'undone';
  /** The operation that is owed now, if any. */
  readonly operation: string | null;
  /** Attempts of that operation in this coordinator's term. */
  readonly attempts: number;
  readonly nextAttemptAtMs: EpochMs | null;
  readonly lastError: string | null;
  readonly result: Json;
}

/** A global transaction as `get` shows it. */
export interface TransactionView extends TransactionAnswer {
  readonly name: string;
  readonly attention: Attention | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly startedAtMs: EpochMs;
  readonly decidedAtMs: EpochMs | null;
  readonly finishedAtMs: EpochMs | null;
  readonly branches: readonly BranchView[];
}

/** One line of a list. */
export interface TransactionSummary {
  readonly gid: Gid;
  readonly mode: Mode;
  readonly name: string;
  readonly phase: Phase;
  readonly cause: Cause | null;
  readonly attention: Attention | null;
  readonly startedAtMs: EpochMs;
  readonly deadlineAtMs: EpochMs | null;
  readonly finishedAtMs: EpochMs | null;
  readonly labels: Readonly<Record<string, string>>;
  /**
   * Of an open one: the services that take part, each once (of an address its scheme, host and port).
   * None of a finished one; its view has them.
   */
  readonly services: readonly string[];
  /** Of an open one: what went wrong last, of the operation that has been asked most often. */
  readonly lastError: string | null;
  /** Of an open one: how often that operation was asked in vain in this coordinator's term. */
  readonly attempts: number;
  /** Of an open one: when something will be asked again. */
  readonly nextAttemptAtMs: EpochMs | null;
}

/** `GET /v1/transactions?…`: sorted by start, paged by `cursor`. */
export interface ListRequest extends TransactionQuery {
  /** Default `newest`. */
  readonly sort?: 'newest' | 'oldest';
  /** 1..500, default 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** One page of a list. */
export interface ListAnswer {
  readonly transactions: readonly TransactionSummary[];
  /**
   * Give it back as `cursor` for the next page; null at the end. A page may have fewer transactions
   * than were asked for, even none, and not be the last: what one page reads is bounded.
   */
  readonly nextCursor: string | null;
}

/** RFC 9457 problem details: the body of every refusal. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  /** What to do about it. */
  readonly remedy: string;
  readonly gid?: Gid;
  readonly retryAfterMs?: number;
}
