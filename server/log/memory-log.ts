/**
 * A log in memory: for tests and for `--log memory:`. Nothing survives the process; the contract is
 * otherwise the whole one. Several handles may stand on one store, as several processes on a file.
 */
import type { Gid } from '../../client-sdk/protocol/index.ts';
import {
  type Append,
  type AppendAnswer,
  byPlace,
  type IndexRow,
  type LogRow,
  placeOf,
  type SearchFilter,
  type SearchPage,
  shardCount,
  type Term,
  type TransactionLog,
} from './log.ts';

/** What the handles share. */
export interface MemoryStore {
  readonly slots: Map<Gid, Map<number, LogRow>>;
  readonly index: Map<Gid, IndexRow>;
  /** Gids of the index without an outcome. */
  readonly open: Set<Gid>;
  readonly shardEpochs: number[];
  /** The term that is running, or the last one that was. */
  term: { readonly epoch: number; readonly isRunning: boolean };
}

/** An empty store. */
export function createMemoryStore(): MemoryStore {
  return {
    slots: new Map(),
    index: new Map(),
    open: new Set(),
    shardEpochs: Array(shardCount).fill(0),
    term: { epoch: 0, isRunning: false },
  };
}

/** A handle on the store. Answers in a microtask, never in the call itself. */
export function openMemoryLog(store: MemoryStore = createMemoryStore()): TransactionLog {
  let isOpen = true;
  const whileOpen = <T>(answer: () => T): Promise<T> =>
    isOpen ? Promise.resolve(answer()) : Promise.reject(new Error('the log is closed'));
  return {
    commitsInFlightMax: 2,
    takeOver: (node: string) => whileOpen(() => startTerm(store, node)),
    append: (term, batch) =>
      Promise.resolve(isOpen ? appendBatch(store, term, batch) : batch.map(() => 'unknown')),
    read: (gids) => whileOpen(() => readRows(store, gids)),
    openGids: (afterGid, limit) => whileOpen(() => pageOpen(store, afterGid, limit)),
    search: (filter) => whileOpen(() => searchIndex(store, filter)),
    find: (gids) => whileOpen(() => findIndex(store, gids)),
    release(term) {
      if (isOpen && store.term.epoch === term.epoch) {
        store.term = { epoch: term.epoch, isRunning: false };
      }
      return Promise.resolve();
    },
    close() {
      isOpen = false;
      return Promise.resolve();
    },
  };
}

function startTerm(store: MemoryStore, node: string): Term {
  const epoch = store.term.epoch + 1;
  store.term = { epoch, isRunning: true };
  store.shardEpochs.fill(epoch);
  return { node, epoch };
}

function appendBatch(
  store: MemoryStore,
  term: Term,
  batch: readonly Append[],
): readonly AppendAnswer[] {
  if (!store.term.isRunning || store.term.epoch !== term.epoch) return batch.map(() => 'fenced');
  return batch.map((append) => appendOne(store, append));
}

function appendOne(store: MemoryStore, { row, index }: Append): AppendAnswer {
  let slots = store.slots.get(row.gid);
  if (slots === undefined) {
    slots = new Map();
    store.slots.set(row.gid, slots);
  }
  const standing = slots.get(row.seq);
  // An equal row was written together with its index row; writing that again could overwrite a newer one.
  if (standing !== undefined) return isSameRow(standing, row) ? 'appended' : 'conflict';
  slots.set(row.seq, row);
  if (index !== null) {
    store.index.set(row.gid, index);
    if (index.outcome === null) store.open.add(row.gid);
    else store.open.delete(row.gid);
  }
  return 'appended';
}

function isSameRow(a: LogRow, b: LogRow): boolean {
  return a.epoch === b.epoch && a.atMs === b.atMs && a.records === b.records;
}

function readRows(store: MemoryStore, gids: readonly Gid[]): readonly LogRow[] {
  return [...new Set(gids)]
    .sort()
    .flatMap((gid) => [...(store.slots.get(gid)?.values() ?? [])].sort((a, b) => a.seq - b.seq));
}

function pageOpen(store: MemoryStore, afterGid: Gid, limit: number): readonly Gid[] {
  return [...store.open]
    .filter((gid) => gid > afterGid)
    .sort()
    .slice(0, limit);
}

function findIndex(store: MemoryStore, gids: readonly Gid[]): readonly IndexRow[] {
  return [...new Set(gids)].flatMap((gid) => store.index.get(gid) ?? []);
}

function searchIndex(store: MemoryStore, filter: SearchFilter): SearchPage {
  const compare = byPlace(filter.order ?? 'newest');
  const rows = [...store.index.values()]
    .filter((row) => fits(row, filter))
    .filter((row) => filter.before === undefined || compare(filter.before, row) < 0)
    .sort(compare)
    .slice(0, filter.limit);
  const last = rows.length < filter.limit ? undefined : rows.at(-1);
  return { rows, next: last === undefined ? null : placeOf(last) };
}

function fits(row: IndexRow, filter: SearchFilter): boolean {
  const { mode, name, outcome, attention, label, gidPrefix = '' } = filter;
  if (mode !== undefined && row.mode !== mode) return false;
  if (name !== undefined && row.name !== name) return false;
  if (outcome === 'finished' && row.outcome === null) return false;
  const isExact = outcome !== undefined && outcome !== 'finished';
  if (isExact && (row.outcome ?? 'open') !== outcome) return false;
  if (attention === true && row.attention === null) return false;
  if (label !== undefined && row.labels[label.key] !== label.value) return false;
  if (!row.gid.startsWith(gidPrefix)) return false;
  const { startedAfterMs = row.startedAtMs, startedBeforeMs = Number.POSITIVE_INFINITY } = filter;
  return row.startedAtMs >= startedAfterMs && row.startedAtMs < startedBeforeMs;
}
