/** What the engine may hold and how long it waits; every bound with its reason. */
import type { BackoffOptions } from '../core/backoff.ts';

/** What an operator may set. */
export interface EngineOptions {
  /** Deadline of a transaction that names none. */
  readonly transactionTimeoutMs: number;
  /** One call to a participant; then its outcome is unknown and it is asked again. */
  readonly callTimeoutMs: number;
  readonly retry: BackoffOptions;
  /** How soon an operation that answered `ongoing` is asked again, unless it said when. */
  readonly ongoingPollMs: number;
  /** A human is asked for after so many attempts of one operation … */
  readonly attentionAfterAttempts: number;
  /** … or after so long. */
  readonly attentionAfterMs: number;
  /** Open transactions in memory; beyond it begin and submit are refused OVERLOADED. About 4 KiB each. */
  readonly openTransactionsMax: number;
  /** Rows that wait for a commit; beyond it begin and submit are refused OVERLOADED. */
  readonly pendingRowsMax: number;
  /**
   * The log has left a commit without an answer for so long: new work is refused LOG_UNAVAILABLE,
   * work in flight goes on.
   */
  readonly logStallMs: number;
  /** Open transactions read back per second at start, so that participants are not flooded. */
  readonly recoveryPerSecond: number;
}

/** What holds when nothing is set. */
export const engineDefaults: EngineOptions = {
  transactionTimeoutMs: 30_000,
  callTimeoutMs: 10_000,
  retry: { initialMs: 100, capMs: 30_000 },
  ongoingPollMs: 1_000,
  attentionAfterAttempts: 10,
  attentionAfterMs: 300_000,
  openTransactionsMax: 200_000,
  pendingRowsMax: 20_000,
  logStallMs: 2_000,
  recoveryPerSecond: 15_000,
};

/** Limits that nobody needs to set. */
export const engineLimits = {
  /** Rows of one commit: more add latency and no throughput (reference figures: docs/architecture.md). */
  commitRows: 256,
  /** Unless more than this wait: then a commit takes more, or a busy process would fall behind for good. */
  pressedRows: 1_024,
  commitRowsPressed: 1_024,
  /** A lazy record waits no longer than this for a commit to ride along with. */
  lazyMs: 5,
  /** One that will soon be followed by another of its gid waits for it, so that both share a row. */
  patientMs: 25,
  /** Rows that must wait longer for their commit: new work is refused, so that what was taken ends soon. */
  queueMsMax: 500,
  /**
   * When refused work may come again: soon at first, later the longer the overload lasts. Thousands
   * that ask five times a second would keep the coordinator from its work.
   */
  retryAfterMs: { min: 200, max: 5_000 },
  /** Requests that wait in one mailbox; a gid with more is being abused. */
  mailboxTasksMax: 1_024,
  /** Gids of one read of the log. */
  readGidsMax: 500,
  /** Transactions in memory that a list looks at before it lets others in: about 2 ms. */
  scannedPerTurn: 4_096,
  /** Waits between attempts to reach a log that answered `unknown`. */
  logRetry: { initialMs: 20, capMs: 1_000 } satisfies BackoffOptions,
  /** Default and longest time that an answer is held for `wait: completed`. */
  decideWaitMs: 2_000,
  submitWaitMs: 30_000,
  waitMsMax: 60_000,
  /** Scopes whose waits are remembered; what more of them report is not kept: time-outs remain. */
  waitingScopesMax: 4_096,
  /** Scopes report about seven times a second; one that has not for so long is forgotten. */
  waitReportMs: 2_000,
  /** Those who look are shown what was said this lately: the end of a wait is not reported. */
  waitShownMs: 1_000,
  /** How often deadlocks are looked for at most. */
  deadlockLookMs: 50,
  /** In a long queue everybody waits for many. Half a microsecond each: a twentieth of our time. */
  waitClaimsPerMs: 100,
  /** How often a stopping engine looks whether its work is done. */
  drainPollMs: 20,
  /** Participants that come back get their waiting calls at this rate, with jitter. */
  wakePerSecond: 20_000,
} as const;
