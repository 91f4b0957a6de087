/**
 * Loaded before the coordinator (`node --expose-gc --import`) where memory per transaction is
 * measured: answers the message `heap` with what is alive after a full collection. From outside only
 * the resident memory shows, in which garbage counts.
 */
import type { HeapReport } from './heap.ts';

process.on('message', (message) => {
  if (message !== 'heap') return;
  // The first one may only finish a collection that was under way.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ usedBytes: heapUsed + external, rssBytes: rss } satisfies HeapReport);
});
