/**
 * Local transactions of the resource's own, for phase two and for what operators ask: on a connection
 * of their own, given back or thrown away whatever happens. Guards: a throw leaves nothing behind.
 */
import { giveBack } from './acquire.ts';
import type { HeldConnection, ResourceDatabase } from './database.ts';
import type { Dialect } from './dialect.ts';

/** A resource's database and its kind. */
export interface ResourcePorts<Native> {
  readonly database: ResourceDatabase<Native>;
  readonly dialect: Dialect;
  /** How long a statement may wait for a lock. */
  readonly lockTimeoutMs: number;
}

/** Work in one local transaction of its own; a throw rolls it back. */
export function inTransaction<Native, T>(
  ports: ResourcePorts<Native>,
  work: (connection: HeldConnection<Native>) => Promise<T>,
): Promise<T> {
  const { statements } = ports.dialect;
  return within(ports, [statements.begin(ports.lockTimeoutMs)], work);
}

/** As {@link inTransaction}, with one view of all; nothing can be written or locked. */
export function inLook<Native, T>(
  ports: ResourcePorts<Native>,
  work: (connection: HeldConnection<Native>) => Promise<T>,
): Promise<T> {
  return within(ports, ports.dialect.statements.beginLook(ports.lockTimeoutMs), work);
}

async function within<Native, T>(
  { database, dialect }: ResourcePorts<Native>,
  begin: readonly string[],
  work: (connection: HeldConnection<Native>) => Promise<T>,
): Promise<T> {
  const connection = await database.acquire();
  try {
    for (const text of begin) await connection.query(text);
    const value = await work(connection);
    await dialect.barrier.commit(connection);
    connection.release();
    return value;
  } catch (error) {
    await giveBack(connection, error);
    throw error;
  }
}
