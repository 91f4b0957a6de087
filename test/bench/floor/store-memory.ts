/** Rows in memory, as the memory log keeps them: durable at the end of the call that brought them. */
import type { IndexRow, Row, Store } from './store.ts';

/** An empty store. */
export function openMemoryStore(): Store {
  const log = new Map<string, Row[]>();
  const index = new Map<string, IndexRow>();
  return {
    commitsMax: 2,
    commit(rows, durable) {
      for (const row of rows) {
        const before = log.get(row.gid);
        if (before === undefined) log.set(row.gid, [row]);
        else before.push(row);
        if (row.index !== null) index.set(row.gid, row.index);
      }
      queueMicrotask(durable);
    },
  };
}
