/**
 * `begin` and the insert of the guard row as a statement that PostgreSQL has planned already: still
 * one write and one round trip.
 */
import { beginReadCommitted, fly, type PgFlightClient } from './pg-flight.ts';

const insert = {
  name: 'settle_barrier_insert',
  text: `insert into settle_barrier (gid, branch_id, operation, state, created_at_ms)
    values ($1, $2, $3, $4, $5) on conflict do nothing`,
} as const;

/**
 * Begins a transaction and inserts a row: `values` in the order of the columns. Gives the number of
 * rows that were inserted. Rejects with the error of the database or of the connection; the
 * transaction may be open then, and wants to be rolled back. Only where `hasNamedStatements`.
 */
export async function beginPrepared(
  client: PgFlightClient,
  values: readonly string[],
): Promise<number> {
  const [, rows = -1] = await fly(client, [beginReadCommitted, { ...insert, values }]);
  return rows;
}
