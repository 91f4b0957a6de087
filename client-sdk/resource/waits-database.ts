/**
 * Asks one database who blocks whom, and ends statements in it, always by another connection of the
 * same pool. When none is free, or the database does not say, that is the end of it: nobody waits
 * for this. Guards: a session is only named when the database itself has named it.
 */
import type { Logger } from '../logger.ts';
import type { DatabaseConnection } from '../protocol/index.ts';
import { acquireWithin } from './acquire.ts';
import type { HeldConnection, ResourceDatabase } from './database.ts';
import { isWordOfDatabase } from './database-error.ts';
import type { DialectWaits } from './dialect.ts';
import type { StatementWait, WaitSource } from './waits.ts';

/** What it works with. */
export interface WaitDatabasePorts<Native> {
  readonly database: ResourceDatabase<Native>;
  readonly waits: DialectWaits;
  readonly logger: Logger;
}

/** For a connection that asks. */
const connectionMsMax = 100;
/** After an answer that was an error: mostly a privilege that is missing, and stays so. */
const restMs = 10_000;

/** One database, as seen by one resource. */
export class WaitDatabase<Native> implements WaitSource {
  readonly #ports: WaitDatabasePorts<Native>;
  /** Null: the database did not say. */
  readonly #names = new WeakMap<object, DatabaseConnection | null>();
  #restsUntilMs = 0;

  constructor(ports: WaitDatabasePorts<Native>) {
    this.#ports = ports;
  }

  /**
   * Which connection it is, outside of any transaction; asked once for each. Null when the database
   * does not say: what waits there is not seen. Never throws.
   */
  async nameOf(connection: HeldConnection<Native>): Promise<DatabaseConnection | null> {
    const known = this.#names.get(connection.physical);
    if (known !== undefined) return known;
    let name: DatabaseConnection | null = null;
    try {
      name = await this.#ports.waits.self(connection);
    } catch (error) {
      this.#ports.logger.debug({ error }, 'a connection could not be named');
    }
    this.#names.set(connection.physical, name);
    return name;
  }

  async blockers(
    waits: readonly StatementWait[],
  ): Promise<ReadonlyMap<StatementWait, readonly number[]>> {
    const none: ReadonlyMap<StatementWait, readonly number[]> = new Map();
    const byId = new Map(
      waits.flatMap((wait) => (wait.connection ? [[wait.connection.id, wait]] : [])),
    );
    if (byId.size === 0 || performance.now() < this.#restsUntilMs) return none;
    const asked = [...byId].map(([id, { text }]) => ({ id, text }));
    const found = await this.#byAnother((session) => this.#ports.waits.blockers(session, asked));
    const named = [...(found ?? [])].flatMap(([id, blockers]) => {
      const wait = byId.get(id);
      return wait === undefined ? [] : [[wait, blockers] as const];
    });
    return new Map(named);
  }

  async cancel(wait: StatementWait, sending: () => boolean): Promise<void> {
    const { connection, text } = wait;
    if (connection === null) return;
    await this.#byAnother(async (session) => {
      if (sending()) await this.#ports.waits.cancel(session, { id: connection.id, text });
    });
  }

  /** Never throws; null when it did not come to it, or failed. */
  async #byAnother<T>(work: (connection: HeldConnection<Native>) => Promise<T>): Promise<T | null> {
    const { database, logger } = this.#ports;
    let connection: HeldConnection<Native> | null = null;
    try {
      connection = await acquireWithin(database, connectionMsMax);
      const value = await work(connection);
      connection.release();
      return value;
    } catch (error) {
      if (connection !== null) {
        this.#restsUntilMs = performance.now() + restMs;
        connection.release(isWordOfDatabase(error) ? undefined : asError(error));
      }
      logger.debug({ error }, 'the database did not say who waits for whom');
      return null;
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('the connection failed', { cause: error });
}
