/**
 * What the logs on a database server share: the batch cut into statements of a bearable size, an
 * answer in bounded time, and what a row that lost its slot is told. No SQL and no driver is here.
 * Invariant: whatever goes wrong after a row may have been sent is `unknown`, never a thrown error.
 */
import { Failure } from '../runtime/failure.ts';
import {
  type Append,
  type AppendAnswer,
  type IndexRow,
  type LogRow,
  labelTexts,
  shardCount,
  type TransactionLog,
} from './log.ts';

/** How to open a log on a database server. */
export interface ServerLogOptions {
  /** With user, password and database; the driver's own URL parameters work. */
  readonly url: string;
  /** An append is answered after this many milliseconds at the latest. Default 10,000. */
  readonly answerMsMax?: number;
  /** Told, for the server's own log, why an append was answered `unknown`. May be called often. */
  readonly onTrouble?: (failure: Failure) => void;
}

/** Default of `answerMsMax`: a failover of the usual clusters takes longer, a slow disk does not. */
export const answerMsMaxDefault = 10_000;

/** A log on a database server, which may be set up so that a commit is less than durable. */
export interface ServerLog extends TransactionLog {
  /**
   * One sentence for each setting of the server that makes "appended" mean less than durable; empty
   * when all is well. Reads only. Throws when the store is away.
   */
  durabilityWarnings(): Promise<readonly string[]>;
}

/** All shards of a log, in order. */
export const allShards: readonly number[] = Array.from({ length: shardCount }, (_, i) => i);

/**
 * Counts who is inside, so that closing can wait: what was called before `close` is answered, what
 * is called later is refused.
 */
export interface Gate {
  /** Runs the work. Throws when closed. */
  enter<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when everybody is out, then runs the last work once. Safe to repeat; never throws. */
  close(last: () => Promise<void>): Promise<void>;
}

/** An open gate. */
export function createGate(): Gate {
  const inside = new Set<Promise<unknown>>();
  let closed: Promise<void> | null = null;
  return {
    async enter(work) {
      if (closed !== null) throw new Error('the log is closed');
      const running = work();
      inside.add(running);
      try {
        return await running;
      } finally {
        inside.delete(running);
      }
    },
    close(last) {
      closed ??= Promise.allSettled(inside)
        .then(last)
        .catch(() => undefined);
      return closed;
    },
  };
}

/** Every row of the batch gets the same answer. */
export function answerAll(batch: readonly Append[], answer: AppendAnswer): AppendAnswer[] {
  return batch.map(() => answer);
}

/** Writes one part of a batch and answers for each row of it. May throw: then nothing is known. */
export type SendPart = (part: readonly Append[]) => Promise<readonly AppendAnswer[]>;

/** How long an append may take, how large one statement may be, and who hears of trouble. */
export interface AppendBounds {
  readonly answerMsMax: number;
  readonly statementCharsMax: number;
  readonly onTrouble: ServerLogOptions['onTrouble'];
}

/**
 * Sends the batch part by part, each its own durable commit; there is more than one part only when
 * the rows are huge. Resolves within the bound, with `unknown` for what has no answer by then. Never
 * throws. After a part that failed or was fenced, the rest is not sent.
 */
export async function appendInParts(
  batch: readonly Append[],
  bounds: AppendBounds,
  send: SendPart,
): Promise<readonly AppendAnswer[]> {
  const answers: AppendAnswer[] = [];
  let answerOfRest: AppendAnswer = 'unknown';
  let isOver = false;
  const sendParts = async () => {
    for (const part of splitBatch(batch, bounds.statementCharsMax)) {
      const given = await send(part);
      if (isOver) return;
      answers.push(...given);
      if (given.includes('fenced')) {
        answerOfRest = 'fenced';
        return;
      }
    }
  };
  const sending = sendParts().catch((error: unknown) => {
    if (!isOver) bounds.onTrouble?.(unavailable(error));
  });
  const isInTime = await endsWithin(bounds.answerMsMax, sending);
  isOver = true;
  if (!isInTime) bounds.onTrouble?.(unavailable(`no answer within ${bounds.answerMsMax} ms`));
  return [...answers, ...answerAll(batch.slice(answers.length), answerOfRest)];
}

/** Drivers' messages may name user and host, never the password. */
function unavailable(error: unknown): Failure {
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const detail = [text, code].filter((part) => part !== '').join(' ') || 'no answer';
  return new Failure('LOG_UNAVAILABLE', `${detail}.`, { cause: error });
}

/** True when the work was done first, false when the time was over first. */
async function endsWithin(ms: number, work: Promise<void>): Promise<boolean> {
  const timeUp = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => timeUp.resolve(false), ms);
  const isInTime = await Promise.race([work.then(() => true), timeUp.promise]);
  clearTimeout(timer);
  return isInTime;
}

/** A row without its records and index row: gid, numbers, punctuation. */
const rowOverheadChars = 512;

/**
 * Cuts the batch into runs of whole rows, each about `charsMax` characters long at most; a row that
 * is longer goes alone. Databases limit the size of a statement (16 MiB is MariaDB's default).
 */
export function splitBatch(
  batch: readonly Append[],
  charsMax: number,
): readonly (readonly Append[])[] {
  const parts: Append[][] = [];
  let room = 0;
  for (const append of batch) {
    const size = append.row.records.length + rowOverheadChars;
    if (size > room || parts.length === 0) {
      parts.push([]);
      room = charsMax;
    }
    parts.at(-1)?.push(append);
    room -= size;
  }
  return parts;
}

/**
 * What a row whose slot was taken is told: `appended` when the row there is our own (an answer was
 * lost before), `conflict` when it is another, `unknown` when the slot is empty again.
 */
export function answerTaken(mine: LogRow, there: LogRow | undefined): AppendAnswer {
  if (there === undefined) return 'unknown';
  const isOurs =
    there.epoch === mine.epoch && there.atMs === mine.atMs && there.records === mine.records;
  return isOurs ? 'appended' : 'conflict';
}

/** Rows by slot, to look up what stands in it. */
export function bySlot(rows: readonly LogRow[]): (row: LogRow) => LogRow | undefined {
  const found = new Map(rows.map((row) => [`${row.gid}/${row.seq}`, row]));
  return (row) => found.get(`${row.gid}/${row.seq}`);
}

/**
 * True when its index row is probably new in its table: an open transaction has one from its first
 * log row on, which later ones replace; one that has ended is written at its end.
 */
export function isFresh({ row, index }: Append): boolean {
  return index === null || row.seq === 1 || index.outcome !== null;
}

/** The columns of `open_transaction` and of `global_transaction`, in their order. */
export const indexColumnNames = [
  ...(['gid', 'shard', 'mode', 'name', 'outcome', 'cause', 'attention'] as const),
  ...(['started_at_ms', 'deadline_at_ms', 'finished_at_ms', 'labels'] as const),
] as const;

/** An index row as those columns hold it, in the order of {@link indexColumnNames}. */
export function indexColumns(index: IndexRow) {
  return [
    index.gid,
    index.shard,
    index.mode,
    index.name,
    index.outcome,
    jsonOrNull(index.cause),
    jsonOrNull(index.attention),
    index.startedAtMs,
    index.deadlineAtMs,
    index.finishedAtMs,
    jsonOrNull(index.labels),
  ] as const;
}

/** A row of `transaction_label`: label, start, gid. */
export type LabelRow = readonly [label: string, startedAtMs: number, gid: string];

/** Labels of what begins in the batch; mostly none. */
export function labelRows(batch: readonly Append[]): readonly LabelRow[] {
  const rows: LabelRow[] = [];
  for (const { row, index } of batch) {
    if (row.seq !== 1 || index === null) continue;
    for (const label of labelTexts(index.labels)) rows.push([label, index.startedAtMs, index.gid]);
  }
  return rows;
}

/** As the columns hold an object. */
export function jsonOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
