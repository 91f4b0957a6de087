/**
 * What the bench says to its worker processes and what they answer, over Node's IPC channel. The
 * workers of the product and those of the floor speak the same, so that whoever measures does not
 * know which of them it measures. Settings come as JSON in `process.argv[2]`.
 */

/**
 * The flow of one transaction. `empty`: a two-phase transaction without branches. `at`: plain SQL in
 * databases that are resources.
 */
export type BenchMode = 'tcc' | 'saga' | 'empty' | 'at';

/**
 * - `both`: a service process that begins transactions and takes part in them: tries run where their
 *   caller is, phase two and steps arrive by the channel;
 * - `initiator`: begins only; its tries are passed on by the coordinator;
 * - `participant`: takes part only.
 */
export type WorkerRole = 'both' | 'initiator' | 'participant';

/** How a worker is set up. */
export interface WorkerSettings {
  /** Base address of the coordinator (`http://127.0.0.1:port`). */
  readonly url: string;
  readonly role: WorkerRole;
  readonly mode: BenchMode;
  /** Branches, or steps, of each transaction. */
  readonly branches: number;
  /** Transactions under way at once in this process. Of an open loop: the most. */
  readonly inflight: number;
  /** Transactions started per second by this process, however the last ones fared; null: closed loop. */
  readonly ratePerSecond: number | null;
  /** So many of a hundred transactions are refused by their last branch. */
  readonly rollbackPercent: number;
  readonly wait: 'completed' | 'decided' | 'submitted';
  /**
   * `http`: branches name these addresses instead of a service. A participant that has a list here,
   * and be it empty, serves HTTP and says where when it is ready.
   */
  readonly participantUrls: readonly string[] | null;
  /** Participants write one row through the barrier into this database; null: they answer at once. */
  readonly databaseUrl: string | null;
  /** Databases of the resources, each a branch; null in all modes but `at`. */
  readonly resourceUrls: readonly string[] | null;
  /** Rows that transactions of mode `at` choose from, in each database. */
  readonly atRows: 'one' | 'many';
  /** How long the SDK repeats a request, one that is refused early above all; null: its default. */
  readonly requestTimeoutMs: number | null;
  /** Connections of this process, each an SDK of its own; left out: one. */
  readonly connections?: number;
  /** It counts the calls that it gets. */
  readonly countsCalls?: boolean;
}

/** How much load one process makes. */
export interface LoadOptions {
  /** Under way at once; of an open loop: the most. */
  readonly inflight: number;
  /** Started per second, however the last ones fared; null: closed loop. */
  readonly ratePerSecond: number | null;
  /**
   * Of an open loop: what is due for so long and still finds no room is given up, as a user would;
   * left out: it is started however late, so that nobody can leave the latency of it out.
   */
  readonly patienceMs?: number;
}

/** The round that is asked for. */
export interface RoundWish {
  readonly seconds: number;
  readonly load?: LoadOptions;
  /** In mode `at`: the same rows by plain local transactions. */
  readonly isPlain?: boolean;
}

/**
 * To a worker. `run` asks an initiator for one round, with another load than it was set up for if
 * there is one (not of the floor); `stop` ends the process with code 0.
 */
export type ToWorker = ({ readonly kind: 'run' } & RoundWish) | { readonly kind: 'stop' };

/** To a worker of the product. `calls`: what it has counted since the last time. */
export type ToProductWorker = ToWorker | { readonly kind: 'calls' };

/** One round of one initiator. */
export interface RoundReport {
  /** Ended as wished within the round. */
  readonly transactions: number;
  /** Refused early: nothing was taken (OVERLOADED, or no room under way in an open loop). */
  readonly refused: number;
  /** Those of the refused that were given up without having been started. */
  readonly givenUp?: number;
  /** Those of the failed whose outcome is not known: their time was over before an answer came. */
  readonly unknown?: number;
  /** How many ended as wished in each tenth of a second of the round. */
  readonly wishedPerTenth?: readonly number[];
  /** Ended otherwise; `firstError` tells of one. */
  readonly failed: number;
  readonly firstError: string | null;
  /** From the first start to the last count. */
  readonly seconds: number;
  /**
   * Latencies from the moment a transaction should have started (open loop: by the timetable), as
   * pairs of the upper bound of a bucket in µs and its count; see histogram.ts.
   */
  readonly latencies: readonly (readonly [boundUs: number, count: number])[];
}

/** From a worker. `url`: of a participant that serves HTTP. */
export type FromWorker =
  | { readonly kind: 'ready'; readonly url: string | null }
  | { readonly kind: 'round'; readonly report: RoundReport }
  /** Calls in each tenth of a second, from the first call since the last answer to the last one. */
  | { readonly kind: 'calls'; readonly perTenth: readonly number[] };
