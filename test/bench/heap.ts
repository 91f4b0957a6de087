/** What the coordinator tells of its memory when the bench asks it (`heap-preload.ts`). */

/** After a full collection, in bytes. */
export interface HeapReport {
  /** Objects of V8, and the buffers that they hold outside of its heap. */
  readonly usedBytes: number;
  /** Of the process, as the system counts it. */
  readonly rssBytes: number;
}
