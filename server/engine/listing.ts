/**
 * Lists. Open transactions are in memory, where all of them are once recovery has read them back, and
 * are searched there by anything; finished ones are in the log's index. Invariant: a list leaves out
 * nothing in silence: as long as memory may lack something (recovery, the end of the term, records
 * that this server cannot read) open ones are looked up in the log as well.
 */
import type {
  Gid,
  ListAnswer,
  ListRequest,
  TransactionQuery,
  TransactionSummary,
} from '../../client-sdk/protocol/index.ts';
import { limits } from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../core/transaction.ts';
import {
  type IndexRow,
  mergedPages,
  type Order,
  type Page,
  type Place,
  type SearchFilter,
  type TransactionLog,
} from '../log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { indexRow, replay } from './codec.ts';
import { type Fits, fitsOf, parseLabel, type Where, whereToLook } from './conditions.ts';
import { type Coordinator, logAway, type Refusal } from './coordinator.ts';
import type { Mailbox } from './mailbox.ts';
import { type Scan, scanOpen } from './open-scan.ts';
import { shownTx } from './shown.ts';
import { toSummary } from './view.ts';

const pageSizeDefault = 50;

/** Answers list requests. */
export type Listing = Pick<Coordinator, 'list' | 'matching'>;

/** What a listing needs. */
export interface ListingPorts {
  readonly clock: Clock;
  readonly log: TransactionLog;
  readonly mailboxes: {
    get(gid: Gid): Mailbox | undefined;
    values(): readonly Mailbox[];
  };
  /** All open transactions have been read back, and the term is not over. */
  readonly isRecovered: () => boolean;
  /** An open transaction was found whose records cannot be read: it is not in memory. */
  readonly hasUnreadable: () => boolean;
}

/** A request that can be answered. */
interface Asked {
  readonly query: TransactionQuery;
  readonly fits: Fits;
  readonly where: Where;
  readonly order: Order;
  readonly limit: number;
  readonly before: Place | undefined;
}

/** A listing over memory and the index of the log. */
export function createListing(ports: ListingPorts): Listing {
  const { clock, log, mailboxes, isRecovered, hasUnreadable } = ports;

  /** What memory does not hold yet, and what nobody here can read. */
  async function openInLog(asked: Asked): Promise<Page<TransactionSummary>> {
    // Attention is looked at afterwards: the index does not know that the records are unreadable.
    const filter = { ...toFilter(asked), limit: limits.pageSizeMax, outcome: 'open' as const };
    const { rows, next } = await log.search(filter);
    const known = (gid: Gid) => shownOf(mailboxes.get(gid));
    const unread = rows.map(({ gid }) => gid).filter((gid) => known(gid) === null);
    const logRows = unread.length === 0 ? [] : await log.read(unread);
    const shown = rows.flatMap((row) => {
      const mailbox = mailboxes.get(row.gid);
      const tx = known(row.gid);
      if (tx !== null)
        return asked.fits(tx, mailbox?.calls.values() ?? []) ? [summaryOf(tx, mailbox)] : [];
      const replayed = replay(logRows.filter(({ gid }) => gid === row.gid));
      if (!replayed.ok) return unreadable(row, replayed.reason, asked.query);
      if (replayed.tx === null || !asked.fits(replayed.tx, [])) return [];
      return [toSummary(row, replayed.tx)];
    });
    return { rows: shown, next };
  }

  async function finishedInLog(asked: Asked): Promise<Page<TransactionSummary>> {
    const { outcome, attention, phase } = asked.query;
    const ended = endOf(phase) ?? endOf(outcome) ?? 'finished';
    const filter: SearchFilter = {
      ...toFilter(asked),
      outcome: ended,
      ...(attention && { attention }),
    };
    const { rows, next } = await log.search(filter);
    return { rows: rows.map((row) => toSummary(row, null)), next };
  }

  /** Memory was looked at first: what ends after that is in both, and what it was then is told. */
  async function page(asked: Asked, scan: Scan): Promise<ListAnswer> {
    const found = scan.page.rows.map(({ tx, mailbox }) => summaryOf(tx, mailbox));
    const pages: Page<TransactionSummary>[] = [{ rows: found, next: scan.page.next }];
    const isWhole = isRecovered() && !hasUnreadable() && !scan.isDoubtful;
    if (asked.where !== 'finished' && !isWhole) pages.push(await openInLog(asked));
    if (asked.where !== 'open') pages.push(await finishedInLog(asked));
    const { rows, next } = mergedPages(asked.order, asked.limit, pages);
    return { transactions: rows, nextCursor: next === null ? null : toCursor(next) };
  }

  function scan(asked: Asked, done: (scan: Scan) => void): void {
    scanOpen({ clock, mailboxes: mailboxes.values() }, asked, done);
  }

  return {
    list(request, answered) {
      const asked = readRequest(request);
      if ('ok' in asked) return answered(asked);
      scan(asked, (scanned) =>
        page(asked, scanned).then(
          (body) => answered({ ok: true, body }),
          () => answered(logAway),
        ),
      );
    },
    matching(query, limit, answered) {
      const asked = readRequest({ ...query, outcome: query.outcome ?? 'open', sort: 'oldest' });
      if ('ok' in asked) return answered(asked);
      if (asked.where !== 'open') {
        return answered(invalid('outcome: only open transactions can be worked on; leave it out'));
      }
      if (!isRecovered()) return answered(notRead);
      scan({ ...asked, limit }, ({ page: { rows }, total, isDoubtful }) => {
        if (isDoubtful) return answered(notRead);
        answered({ ok: true, body: { gids: rows.map(({ gid }) => gid), total } });
      });
    },
  };
}

const notRead: Refusal = {
  ok: false,
  code: 'LOG_UNAVAILABLE',
  detail: 'not all open transactions have been read back from the log yet',
  retryAfterMs: 1_000,
};

function invalid(detail: string): Refusal {
  return { ok: false, code: 'INVALID_REQUEST', detail };
}

function readRequest(request: ListRequest): Asked | Refusal {
  const { sort = 'newest', limit = pageSizeDefault, cursor, ...query } = request;
  const looked = whereToLook(query);
  if (!looked.ok) return invalid(looked.detail);
  const before = cursor === undefined ? undefined : fromCursor(cursor);
  if (before === null) {
    return invalid('cursor: not one of ours; begin without one');
  }
  return {
    query,
    fits: fitsOf(query),
    where: looked.where,
    order: sort,
    limit: Math.min(limit, limits.pageSizeMax),
    before,
  };
}

function endOf(word: string | undefined): 'committed' | 'rolledBack' | null {
  return word === 'committed' || word === 'rolledBack' ? word : null;
}

/** What the index of the log knows of any transaction. */
function toFilter({ query, order, limit, before }: Asked): SearchFilter {
  const { mode, name, gid, label, startedAfterMs, startedBeforeMs } = query;
  return {
    order,
    limit,
    ...(before && { before }),
    ...(mode && { mode }),
    ...(name !== undefined && { name }),
    ...(gid && { gidPrefix: gid }),
    ...(label !== undefined && { label: parseLabel(label) }),
    ...(startedAfterMs !== undefined && { startedAfterMs }),
    ...(startedBeforeMs !== undefined && { startedBeforeMs }),
  };
}

/** Nothing is in memory of one that is being read. */
function shownOf(mailbox: Mailbox | undefined): Transaction | null {
  return mailbox?.state === 'ready' ? shownTx(mailbox) : null;
}

function summaryOf(tx: Transaction, mailbox: Mailbox | undefined): TransactionSummary {
  const calls = tx.finishedAtMs === null ? (mailbox?.calls.values() ?? []) : [];
  return toSummary(indexRow(tx, mailbox?.shard ?? 0), tx, calls);
}

/** A human is needed, for nobody goes on with it; of its branches nothing is known. */
function unreadable(
  row: IndexRow,
  reason: string,
  { service, method, phase, error = '' }: TransactionQuery,
): readonly TransactionSummary[] {
  if (service !== undefined || method !== undefined || phase !== undefined) return [];
  if (!reason.toLowerCase().includes(error.toLowerCase())) return [];
  const detail = reason.slice(0, limits.detailLengthMax);
  const { startedAtMs: atMs } = row;
  const attention = { reason: 'unreadable', branchId: null, detail, atMs } as const;
  return [toSummary({ ...row, attention }, null)];
}

function fromCursor(cursor: string): Place | null {
  const match = /^(\d{1,16})_([A-Za-z0-9._-]{1,64})$/.exec(cursor);
  const [, startedAtMs, gid] = match ?? [];
  if (startedAtMs === undefined || gid === undefined) return null;
  return { startedAtMs: Number(startedAtMs), gid };
}

function toCursor({ startedAtMs, gid }: Place): string {
  return `${startedAtMs}_${gid}`;
}
