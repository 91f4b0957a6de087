/**
 * The record of what people have done: a chain of entries in the log itself, under gids of its own, so
 * that it is as durable as any decision, fenced like one, and needs no table. Each entry has the hash
 * of the one before it. Invariants: an entry never changes; what is done was written before it was
 * done (`asked`), and what came of it after (`done`); entries have no gaps.
 *
 * The chain is cut into gids of 256 rows, for a gid is read whole.
 */
import { createHash } from 'node:crypto';
import {
  type AuditVerdict,
  type AuditView,
  type EpochMs,
  type Gid,
  limits,
} from '../../client-sdk/protocol/index.ts';
import {
  type AppendAnswer,
  type LogRow,
  shardOf,
  type Term,
  type TransactionLog,
} from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { Failure } from '../runtime/failure.ts';

/** What somebody does, before it has its place in the chain. */
export type AuditDraft = Omit<AuditView, 'seq' | 'atMs' | 'previous' | 'hash'>;

/** The chain of one log. */
export interface Audit {
  /**
   * Writes the next entry; durable when it resolves. Throws Failure LOG_UNAVAILABLE (it may be there
   * all the same) or FENCED.
   */
  write(draft: AuditDraft): Promise<AuditView>;
  /** Newest first, those before `beforeSeq`. At most 256. Throws Failure LOG_UNAVAILABLE. */
  list(limit: number, beforeSeq: number | null): Promise<readonly AuditView[]>;
  /** Reads all of it. Throws Failure LOG_UNAVAILABLE. */
  verify(): Promise<AuditVerdict>;
}

/** What it needs. */
export interface AuditPorts {
  readonly clock: Clock;
  readonly log: TransactionLog;
  readonly term: () => Term;
}

/** Gids that start so are not for transactions. */
export const auditGidPrefix = `${limits.gidPrefixReserved}audit.`;

const rowsPerGid = 256;
/** Sixteen times 256 small rows. */
const segmentsPerLook = 16;
/** An append whose outcome stays unknown is sent again, so many times. */
const attemptsMax = 10;

interface Tail {
  readonly seq: number;
  readonly hash: string;
}

const tailOfNone: Tail = { seq: 0, hash: '0'.repeat(64) };

/** The chain; reads where it ends when it is first used. */
export function createAudit({ clock, log, term }: AuditPorts): Audit {
  let tail: Tail | null = null;
  /** One at a time: each entry needs the hash of the one before. */
  let queue: Promise<unknown> = Promise.resolve();

  async function read(...segments: readonly number[]): Promise<readonly AuditView[]> {
    try {
      return (await log.read(segments.map(gidOf))).map(entryIn);
    } catch (error) {
      throw new Failure('LOG_UNAVAILABLE', 'the audit cannot be read', { cause: error });
    }
  }

  async function end(): Promise<Tail> {
    const last = (await lastSegment(read)).at(-1);
    return last ?? tailOfNone;
  }

  async function append(draft: AuditDraft): Promise<AuditView> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      tail ??= await end();
      const entry = chained(draft, tail, clock.nowMs());
      const answer = await appendUntilKnown(entry);
      if (answer === 'fenced') throw new Failure('FENCED', 'another coordinator took over');
      tail = answer === 'appended' ? entry : null;
      if (answer === 'appended') return entry;
      if (answer === 'unknown') break;
    }
    throw new Failure('LOG_UNAVAILABLE', 'the audit could not be written');
  }

  async function appendUntilKnown(entry: AuditView): Promise<AppendAnswer> {
    let answer: AppendAnswer = 'unknown';
    for (let attempt = 0; answer === 'unknown' && attempt < attemptsMax; attempt += 1) {
      const [known] = await log.append(term(), [{ row: rowOf(entry, term()), index: null }]);
      answer = known ?? 'unknown';
    }
    return answer;
  }

  return {
    write(draft) {
      const written = queue.then(() => append(draft));
      queue = written.catch(() => undefined);
      return written;
    },
    async list(limit, beforeSeq) {
      const last = beforeSeq === null ? (await end()).seq : beforeSeq - 1;
      const found: AuditView[] = [];
      for (let segment = segmentOf(last); segment >= 1 && found.length < limit; segment -= 1) {
        const entries = await read(segment);
        found.push(...entries.filter(({ seq }) => seq <= last).reverse());
      }
      return found.slice(0, limit);
    },
    async verify() {
      let at: Tail = tailOfNone;
      // Some at a time, and on past the end: what was taken out in the middle leaves a gap.
      for (let segment = 1; ; segment += segmentsPerLook) {
        const entries = await read(
          ...Array.from({ length: segmentsPerLook }, (_, n) => segment + n),
        );
        for (const entry of entries) {
          if (!follows(entry, at)) return { entries: at.seq, head: at.hash, brokenAt: at.seq + 1 };
          at = entry;
        }
        if (entries.length === 0) break;
      }
      const isCut = tail !== null && tail.seq > at.seq;
      return { entries: at.seq, head: at.hash, brokenAt: isCut ? at.seq + 1 : null };
    },
  };
}

/** Doubles until nothing is there, then halves: a handful of reads for any length. */
async function lastSegment(
  read: (segment: number) => Promise<readonly AuditView[]>,
): Promise<readonly AuditView[]> {
  let low = 1;
  let last = await read(low);
  if (last.length < rowsPerGid) return last;
  let high = 2;
  for (let found = await read(high); found.length > 0; found = await read(high)) {
    low = high;
    last = found;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const found = await read(middle);
    if (found.length === 0) high = middle;
    else {
      low = middle;
      last = found;
    }
  }
  return last;
}

function chained(draft: AuditDraft, { seq, hash }: Tail, atMs: EpochMs): AuditView {
  const unsigned = { ...draft, seq: seq + 1, atMs, previous: hash };
  return { ...unsigned, hash: hashOf(unsigned) };
}

function follows(entry: AuditView, { seq, hash }: Tail): boolean {
  return entry.seq === seq + 1 && entry.previous === hash && entry.hash === hashOf(entry);
}

function hashOf(entry: Omit<AuditView, 'hash'>): string {
  const { seq, atMs, who, action, reason, stage, of, target, before, after, previous } = entry;
  const all = [seq, atMs, who, action, reason, stage, of, target, before, after, previous];
  return createHash('sha256').update(JSON.stringify(all)).digest('hex');
}

function segmentOf(seq: number): number {
  return Math.ceil(seq / rowsPerGid);
}

function gidOf(segment: number): Gid {
  return `${auditGidPrefix}${String(segment).padStart(8, '0')}`;
}

function rowOf(entry: AuditView, { epoch }: Term): LogRow {
  const gid = gidOf(segmentOf(entry.seq));
  const seq = ((entry.seq - 1) % rowsPerGid) + 1;
  return {
    gid,
    seq,
    shard: shardOf(gid),
    epoch,
    atMs: entry.atMs,
    records: JSON.stringify([entry]),
  };
}

/** Somebody may have written over it: `verify` tells, so that it is taken as it is here. */
function entryIn(row: LogRow): AuditView {
  const [entry] = JSON.parse(row.records) as readonly [AuditView];
  return entry;
}
