/**
 * Reads the log back and tells what is wrong with it: rows that are missing or cannot be read, and
 * index rows that say something else than the records. Guard: what changes while it looks is no
 * fault, so the index is read before and after the records.
 */
import {
  type Gid,
  type ListAnswer,
  type LogVerdict,
  limits,
  type VerifyLogRequest,
} from '../../client-sdk/protocol/index.ts';
import type { IndexRow, LogRow, TransactionLog } from '../log/log.ts';
import { shardOf } from '../log/log.ts';
import { indexRow, replay } from './codec.ts';
import { type Answered, type Coordinator, logAway } from './coordinator.ts';

/** Transactions of one page, unless more are asked for. */
const pageDefault = 100;

/** What it needs. */
export interface VerifyPorts {
  readonly log: Pick<TransactionLog, 'read' | 'find'>;
  readonly list: Coordinator['list'];
}

/** Answers one page. LOG_UNAVAILABLE, or INVALID_REQUEST for an `after` that was not given out. */
export function createVerify({ log, list }: VerifyPorts): Coordinator['verify'] {
  async function verdict(page: ListAnswer): Promise<LogVerdict> {
    const gids = page.transactions.map(({ gid }) => gid);
    const none = gids.length === 0;
    const before = none ? [] : await log.find(gids);
    const rows = none ? [] : await log.read(gids);
    const after = none ? [] : await log.find(gids);
    const byGid = Map.groupBy(rows, ({ gid }) => gid);
    const earlier = new Map(before.map((row) => [row.gid, row]));
    const later = new Map(after.map((row) => [row.gid, row]));
    const faults = gids.flatMap((gid) => {
      const seen = { before: earlier.get(gid), after: later.get(gid) };
      return faultsOf(gid, byGid.get(gid) ?? [], seen).map((what) => ({ gid, what }));
    });
    return { checked: gids.length, faults, next: page.nextCursor };
  }

  return ({ after, limit = pageDefault }: VerifyLogRequest, answered: Answered<LogVerdict>) => {
    const request = { limit: Math.min(limit, limits.pageSizeMax) };
    list(after === undefined ? request : { ...request, cursor: after }, (page) => {
      if (!page.ok) return answered(page);
      verdict(page.body).then(
        (body) => answered({ ok: true, body }),
        () => answered(logAway),
      );
    });
  };
}

/** The index row of a gid, as it was before and after its records were read. */
export interface SeenIndex {
  readonly before: IndexRow | undefined;
  readonly after: IndexRow | undefined;
}

/** What is wrong with one gid, in words; empty when all is well. */
export function faultsOf(
  gid: Gid,
  rows: readonly LogRow[],
  { before, after }: SeenIndex,
): readonly string[] {
  if (rows.length === 0) return ['the index has it, but no record is there'];
  const faults: string[] = [];
  const shard = shardOf(gid);
  const strays = rows.filter((row) => row.shard !== shard);
  if (strays.length > 0) faults.push(`row ${strays[0]?.seq} is in shard ${strays[0]?.shard}`);
  for (const [at, row] of rows.entries()) {
    const previous = rows[at - 1];
    if (previous !== undefined && row.epoch < previous.epoch) {
      faults.push(`row ${row.seq} is of term ${row.epoch}, behind one of term ${previous.epoch}`);
    }
  }
  const replayed = replay(rows);
  if (!replayed.ok) return [...faults, replayed.reason];
  if (replayed.tx === null) return [...faults, 'its records begin nothing'];
  const { outcome } = indexRow(replayed.tx, shard);
  const isBehind = before !== undefined && before.outcome !== null && outcome !== before.outcome;
  const isAhead = outcome !== null && after?.outcome !== outcome;
  if (isBehind || isAhead) {
    const said = (isBehind ? before : after)?.outcome ?? 'open';
    faults.push(`the index says ${said}, its records say ${outcome ?? 'open'}`);
  }
  return faults;
}
