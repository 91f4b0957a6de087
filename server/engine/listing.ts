/** Lists: from the log's index, with the phase of open transactions taken from their records. */
import type { Gid, ListAnswer, ListRequest } from '../../client-sdk/protocol/index.ts';
import { limits } from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../core/transaction.ts';
import type { IndexRow, SearchFilter, TransactionLog } from '../log/log.ts';
import { replay } from './codec.ts';
import type { Answered } from './coordinator.ts';
import { toSummary } from './view.ts';

const pageSizeDefault = 50;

/** Answers list requests. */
export interface Listing {
  list(request: ListRequest, answered: Answered<ListAnswer>): void;
}

/** What a listing needs. */
export interface ListingPorts {
  readonly log: TransactionLog;
  /** The state in memory, if it is there. */
  readonly loadedTx: (gid: Gid) => Transaction | null;
}

/** A listing over the index of the log. */
export function createListing(ports: ListingPorts): Listing {
  const { log, loadedTx } = ports;

  async function page(filter: SearchFilter): Promise<ListAnswer> {
    const rows = await log.search(filter);
    const states = new Map<Gid, Transaction>();
    const unread: Gid[] = [];
    for (const row of rows) {
      if (row.outcome !== null) continue;
      const tx = loadedTx(row.gid);
      if (tx === null) unread.push(row.gid);
      else states.set(row.gid, tx);
    }
    if (unread.length > 0) {
      const logRows = await log.read(unread);
      for (const gid of unread) {
        const replayed = replay(logRows.filter((row) => row.gid === gid));
        if (replayed.ok && replayed.tx !== null) states.set(gid, replayed.tx);
      }
    }
    const last = rows.length === filter.limit ? rows.at(-1) : undefined;
    // The record of an end is lazy: the index may show open what was told to be finished.
    const isShown = (row: IndexRow) =>
      filter.outcome !== 'open' || (states.get(row.gid)?.finishedAtMs ?? null) === null;
    return {
      transactions: rows.filter(isShown).map((row) => toSummary(row, states.get(row.gid) ?? null)),
      nextCursor: last === undefined ? null : toCursor(last),
    };
  }

  function list(request: ListRequest, answered: Answered<ListAnswer>): void {
    const filter = toFilter(request);
    if (filter === null) {
      return answered({ ok: false, code: 'INVALID_REQUEST', detail: 'cursor: not one of ours' });
    }
    page(filter).then(
      (body) => answered({ ok: true, body }),
      () => {
        const detail = 'the log cannot be read at the moment';
        answered({ ok: false, code: 'LOG_UNAVAILABLE', detail, retryAfterMs: 1_000 });
      },
    );
  }

  return { list };
}

function toFilter(request: ListRequest): SearchFilter | null {
  const { limit = pageSizeDefault, cursor, mode, name, outcome, attention } = request;
  const filter = {
    limit: Math.min(limit, limits.pageSizeMax),
    ...(mode && { mode }),
    ...(name && { name }),
    ...(outcome && { outcome }),
    ...(attention && { attention }),
  };
  if (cursor === undefined) return filter;
  const match = /^(\d{1,16})_([A-Za-z0-9._-]{1,64})$/.exec(cursor);
  const [, startedAtMs, gid] = match ?? [];
  if (startedAtMs === undefined || gid === undefined) return null;
  return { ...filter, before: { startedAtMs: Number(startedAtMs), gid } };
}

function toCursor(row: IndexRow): string {
  return `${row.startedAtMs}_${row.gid}`;
}
