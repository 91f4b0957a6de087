/**
 * `@settle/client/participant`: what a participant needs that is not connected to a coordinator (it
 * is called over plain HTTP), and what it takes to write a barrier for another database.
 */
export type { Barrier, BarrierKey, BarrierRow, BarrierState, LocalTransaction } from './barrier.ts';
export { barrierSchema } from './barrier-schema.ts';
export { createBarrierTable } from './create-barrier-table.ts';
export { type Dialect, kyselyBarrier } from './databases/kysely.ts';
export type { Method } from './host.ts';
export { stepMethod, tccMethod } from './method.ts';
export { undoSchema } from './undo-schema.ts';
