/**
 * What operators ask of a coordinator, over HTTP only: the command line and the console are clients
 * of these and of nothing else. Bodies and answers; the routes are in docs/reference/http-api.md.
 */
import type { ErrorCode } from './errors.ts';
import type { LockGraphAnswer, PingAnswer, PingRequest } from './moment.ts';
import type { BranchId, EpochMs, Gid, Json, Mode, Operation, Phase } from './words.ts';

/** Who a token stands for. A viewer looks; an operator changes; a service runs transactions. */
export type Role = 'viewer' | 'operator' | 'service';

/** `GET /v1/session`: who asks, and what he may. */
export interface SessionView {
  readonly who: string;
  /** `anyone`: no tokens are set up, and everybody may do everything. */
  readonly role: Role | 'anyone';
  /** Nobody may change anything by this coordinator's desk. */
  readonly isReadOnly: boolean;
  /** Whether tokens are needed here. */
  readonly needsLogin: boolean;
}

/**
 * What a list is narrowed by; all given conditions must hold. `service`, `method`, `error` and
 * `phase` of what is not finished are known of open transactions only: with them, `outcome` is `open`.
 */
export interface TransactionQuery {
  readonly mode?: Mode;
  /** The whole name. */
  readonly name?: string;
  /** How the gid begins. */
  readonly gid?: string;
  /** `open`: not finished yet. */
  readonly outcome?: 'open' | 'committed' | 'rolledBack';
  readonly phase?: Phase;
  readonly attention?: boolean;
  /** `key=value`. */
  readonly label?: string;
  readonly startedAfterMs?: EpochMs;
  readonly startedBeforeMs?: EpochMs;
  /** That has an unfinished branch or step there. */
  readonly service?: string;
  /** The same, of this method; of a resource `at.<resource>`. */
  readonly method?: string;
  /** Part of what went wrong last, of any branch, or of why a human is needed; case does not matter. */
  readonly error?: string;
}

/** What operators do to transactions. */
export type OperatorAction =
  /** Ask all that is owed now, without waiting for the next attempt. */
  | 'retry'
  /** Decide an undecided one to roll back. */
  | 'rollback'
  /** Of one branch: what it owes counts as done, for a human has seen to it. */
  | 'skip'
  /** Of all branches of a decided one: the same, so that it ends. */
  | 'resolve';

/** `POST /v1/operations`: does something to the named transactions, or to all that a query finds. */
export interface OperationRequest {
  readonly action: OperatorAction;
  /** At most 1,000; or a query. */
  readonly gids?: readonly Gid[];
  readonly query?: TransactionQuery;
  /** `skip`: which branch (step), and the operation that it was seen to owe. */
  readonly branchId?: BranchId;
  readonly operation?: Exclude<Operation, 'try'>;
  /** `skip` of a `run`: what it is said to have given. */
  readonly result?: Json;
  /** Kept in the audit: 1..512 characters. */
  readonly reason: string;
  /** Tells what would be done, and does nothing. */
  readonly dryRun?: boolean;
  /** With a query: refused (CONFLICT) when it finds more than whoever asked has seen. */
  readonly countMax?: number;
}

/** What became of one transaction. */
export interface OperationResult {
  readonly gid: Gid;
  /** Empty when it is not known. */
  readonly name: string;
  readonly before: Phase | null;
  /** As it was durable when the answer left; of a dry run, what it would be. Null with an error. */
  readonly after: Phase | null;
  readonly error: { readonly code: ErrorCode; readonly detail: string } | null;
}

/** Its answer. */
export interface OperationAnswer {
  /** Its entry in the audit; null of a dry run. */
  readonly auditSeq: number | null;
  readonly dryRun: boolean;
  /** How many the query finds in all; the rest is done by asking again. */
  readonly matched: number;
  readonly results: readonly OperationResult[];
}

/** One entry of the audit, as `GET /v1/audit` shows it and the log keeps it. */
export interface AuditView {
  /** 1, 2, 3 … without gaps. */
  readonly seq: number;
  readonly atMs: EpochMs;
  /** As he is known here: the name of his token, or who he says he is where no token is needed. */
  readonly who: string;
  /** Such as `tx.retry`, `undo.resolve`, `participant.drain`. */
  readonly action: string;
  readonly reason: string;
  /** `asked`: it was about to be done. `done`: what came of the entry `of`. */
  readonly stage: 'asked' | 'done';
  readonly of: number | null;
  /** What it is about, as it was asked for. */
  readonly target: Json;
  /** How things stood, and how they stand. */
  readonly before: Json;
  readonly after: Json;
  /** Hash of the entry before; of the first one 64 zeros. */
  readonly previous: string;
  /** SHA-256 in hex over everything else of this entry, as a JSON list in the order of `audit.ts`. */
  readonly hash: string;
}

/** `GET /v1/audit`: newest first. `before`: the seq of the last one of the page before. */
export interface AuditRequest {
  /** 1..256, default 50. */
  readonly limit?: number;
  readonly before?: number;
}

/** One page of the audit. */
export interface AuditAnswer {
  readonly entries: readonly AuditView[];
  readonly nextBefore: number | null;
}

/** `GET /v1/audit/verify`. */
export interface AuditVerdict {
  readonly entries: number;
  /** Hash of the last entry: kept elsewhere, it tells that nobody has cut the end off. */
  readonly head: string;
  /** The first entry that is not as it was written; null: the chain holds. */
  readonly brokenAt: number | null;
}

/** Request bodies by verb, and what answers them; HTTP only. */
export interface DeskRequests {
  readonly operate: { readonly body: OperationRequest; readonly answer: OperationAnswer };
  readonly audit: { readonly body: AuditRequest; readonly answer: AuditAnswer };
  readonly verifyAudit: { readonly body: object; readonly answer: AuditVerdict };
  readonly doctor: { readonly body: object; readonly answer: DoctorAnswer };
  readonly timeline: { readonly body: GidRequest; readonly answer: TimelineAnswer };
  readonly explanation: { readonly body: GidRequest; readonly answer: Explanation };
  readonly overview: { readonly body: object; readonly answer: OverviewView };
  readonly participants: { readonly body: object; readonly answer: ParticipantsAnswer };
  readonly lockGraph: { readonly body: object; readonly answer: LockGraphAnswer };
  readonly ping: { readonly body: PingRequest; readonly answer: PingAnswer };
  readonly drain: { readonly body: DrainRequest; readonly answer: DrainAnswer };
  readonly undrain: { readonly body: DrainRequest; readonly answer: DrainAnswer };
  readonly nodes: { readonly body: object; readonly answer: NodesAnswer };
  readonly shards: { readonly body: object; readonly answer: ShardsAnswer };
  readonly log: { readonly body: object; readonly answer: LogView };
  readonly verifyLog: { readonly body: VerifyLogRequest; readonly answer: LogVerdict };
  readonly config: { readonly body: object; readonly answer: ConfigView };
}

/** What is asked about one transaction. */
export interface GidRequest {
  readonly gid: Gid;
}

/** Something that is wrong, or that somebody should know, as `doctor` found it. */
export interface Finding {
  /** Stable, such as `log.slow`. */
  readonly check: string;
  readonly level: 'ok' | 'note' | 'problem';
  /** What was seen, with figures. */
  readonly seen: string;
  /** What to do; null when nothing is. */
  readonly remedy: string | null;
}

/** `GET /v1/doctor`: all that was looked at, what is in order, too. */
export interface DoctorAnswer {
  /** By the coordinator's clock, when it began to look. */
  readonly atMs: EpochMs;
  readonly findings: readonly Finding[];
}

/** A service, as `GET /v1/participants` shows it. */
export interface ParticipantView {
  readonly service: string;
  /** Connected by the channel now. */
  readonly instances: readonly InstanceView[];
  /** Operations of open transactions that it owes an answer. */
  readonly owed: number;
  /** The oldest of them was first asked then. */
  readonly oldestOwedAtMs: EpochMs | null;
  readonly lastError: string | null;
  /** Gets no calls until it is undrained. */
  readonly isDrained: boolean;
}

/** `GET /v1/participants`: by name. Connected ones, drained ones, and those that owe something. */
export interface ParticipantsAnswer {
  readonly participants: readonly ParticipantView[];
}

/** One connected process. */
export interface InstanceView {
  readonly instance: string;
  readonly methods: readonly string[];
  readonly callsInFlight: number;
  readonly connectedAtMs: EpochMs;
}

/** A coordinator, as `GET /v1/nodes` shows it. */
export interface NodeView {
  readonly node: string;
  readonly address: string;
  readonly epoch: number;
  readonly isThis: boolean;
  readonly state: string;
  readonly version: string;
  readonly startedAtMs: EpochMs | null;
}

/** `GET /v1/nodes`. */
export interface NodesAnswer {
  readonly nodes: readonly NodeView[];
}

/** A slice of the log, as `GET /v1/shards` shows it. */
export interface ShardView {
  readonly shard: number;
  readonly node: string;
  readonly open: number;
  readonly attention: number;
}

/** `GET /v1/shards`: all of them, by number. */
export interface ShardsAnswer {
  readonly shards: readonly ShardView[];
}

/** One record of a transaction, as `GET /v1/transactions/{gid}/timeline` shows it. */
export interface TimelineEntry {
  /** 1, 2, 3 …: the row of the log that it stands in. */
  readonly seq: number;
  readonly atMs: EpochMs;
  /** Term of the coordinator that wrote it. */
  readonly epoch: number;
  /** Kind of the record: `begun`, `decided`, `done`, `attempted`, `attention` … */
  readonly kind: string;
  /** The branch (step) that it is about, if one. */
  readonly branchId: BranchId | null;
  /** In a few plain words, without payloads: `decided to commit, asked by the initiator`. */
  readonly text: string;
  /** A human has said so. */
  readonly operator: { readonly who: string; readonly reason: string } | null;
}

/** All that there is of one transaction, oldest first. Payloads and results are masked. */
export interface TimelineAnswer {
  readonly gid: Gid;
  readonly entries: readonly TimelineEntry[];
}

/** `GET /v1/transactions/{gid}/explanation`: plain words, for people. */
export interface Explanation {
  readonly gid: Gid;
  readonly phase: Phase;
  /** Why it is where it is. */
  readonly why: string;
  /** What Settle does next, by itself, and when. */
  readonly next: string;
  /** When that is, if it is known. */
  readonly nextAtMs: EpochMs | null;
  /** What an operator can do, each with the command line that does it; empty: nothing is needed. */
  readonly remedies: readonly Remedy[];
}

/** Something that an operator can do. */
export interface Remedy {
  readonly text: string;
  /** Such as `settle tx retry GID --reason …`; null: it is done elsewhere. */
  readonly command: string | null;
}

/** The longest time that percentiles tell apart, in ms: a figure of as much means that or more. */
export const percentileMsMax = 300_000;

/** The two figures of many times that people look at, in ms; at most {@link percentileMsMax}. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** Rates and times of the last minutes, as `GET /v1/overview` shows them, and each tick of `GET /v1/events`. */
export interface OverviewView {
  readonly atMs: EpochMs;
  readonly state: string;
  readonly open: { readonly [phase in Exclude<Phase, 'committed' | 'rolledBack'>]: number };
  readonly attention: number;
  readonly oldestOpen: { readonly gid: Gid; readonly startedAtMs: EpochMs } | null;
  /** One for each second, oldest first, at most 300. */
  readonly seconds: readonly OverviewSecond[];
  /** From begin to end, of what ended in these minutes; null: nothing did. */
  readonly durationMs: Percentiles | null;
  /** From an append to its answer. */
  readonly logMs: Percentiles | null;
  /** Reports of waits for locks that are alive now. */
  readonly lockWaits: number;
  readonly connectedInstances: number;
}

/** Counts of one second. */
export interface OverviewSecond {
  readonly atMs: EpochMs;
  readonly begun: { readonly [mode in Mode]: number };
  readonly committed: { readonly [mode in Mode]: number };
  readonly rolledBack: { readonly [mode in Mode]: number };
}

/** What `GET /v1/events` sends (server-sent events): a tick a second, and gids that have changed. */
export type DeskEvent =
  | {
      readonly kind: 'overview';
      readonly overview: Omit<OverviewView, 'seconds'> & { readonly second: OverviewSecond };
    }
  | { readonly kind: 'changed'; readonly gids: readonly Gid[]; readonly isCut: boolean };

/** `GET /v1/log`: the log at a glance. */
export interface LogView {
  /** Such as `postgres://settle:***@db/settle`. */
  readonly url: string;
  readonly epoch: number;
  readonly commits: number;
  readonly rows: number;
  readonly unknownAppends: number;
  readonly conflicts: number;
  readonly pendingRows: number;
  readonly logMs: Percentiles | null;
}

/** `GET /v1/log/verify?after=NEXT&limit=N`: reads records back, a page of gids at a time. */
export interface LogVerdict {
  readonly checked: number;
  readonly faults: readonly { readonly gid: Gid; readonly what: string }[];
  /** Where the page ended, to be given back as `after`; null: that was the last page. */
  readonly next: string | null;
}

/** Which page of the log to read back: newest transactions first. */
export interface VerifyLogRequest {
  /** The `next` of the page before. */
  readonly after?: string;
  /** 1..500, default 100. */
  readonly limit?: number;
}

/** `GET /v1/config`: every setting and where it came from; secrets are hidden. */
export interface ConfigView {
  readonly settings: readonly {
    readonly name: string;
    readonly value: Json;
    readonly origin: string;
  }[];
}

/**
 * `POST /v1/participants/{service}/drain`, `…/undrain`: no new calls, or calls again. On the record of
 * the audit. Kept in memory: a coordinator that starts again has forgotten it, and calls again.
 */
export interface DrainRequest {
  readonly service: string;
  readonly reason: string;
  readonly dryRun?: boolean;
}

/** How the service stands now; of a dry run, how it would. */
export interface DrainAnswer {
  readonly service: string;
  readonly isDrained: boolean;
  /** Its entry in the audit; null of a dry run. */
  readonly auditSeq: number | null;
  readonly dryRun: boolean;
}
