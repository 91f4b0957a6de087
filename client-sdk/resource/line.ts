/**
 * The connection of one local transaction, with what its errors mean: statements that wait for others
 * are known as waits, a database that gave up waiting is a LOCK_CONFLICT, and what failed is kept in
 * the journal. Guards: nobody sends anything of a local transaction past it but its end.
 */
import type { Gid } from '../protocol/index.ts';
import type { HeldConnection, UserStatement } from './database.ts';
import { meaningOf } from './database-error.ts';
import type { Dialect } from './dialect.ts';
import type { Fly, Session } from './facts.ts';
import type { Journal } from './journal.ts';
import type { LocalWaits } from './waits.ts';

/** What a line is made of. */
export interface LinePorts<Native> {
  readonly gid: Gid;
  readonly dialect: Dialect;
  readonly connection: HeldConnection<Native>;
  readonly waits: LocalWaits;
  readonly journal: Journal;
  /** See `LocalTransactionPorts`. */
  readonly willWrite: () => void;
}

/** One per local transaction. */
export class Line<Native> {
  /** For statements that may wait for others, and are ended when that has no end. */
  readonly waiting: Session;
  readonly #ports: LinePorts<Native>;

  constructor(ports: LinePorts<Native>) {
    this.#ports = ports;
    const { connection, waits } = ports;
    const { fly } = connection;
    this.waiting = {
      query: (text, parameters, name) =>
        waits.run(text, () => connection.query(text, parameters, name)),
      ...(fly === undefined ? {} : { fly: waitingFlight(fly, waits) }),
    };
  }

  get dialect(): Dialect {
    return this.#ports.dialect;
  }

  /** To be told before each statement that changes or locks rows. */
  willWrite(): void {
    this.#ports.willWrite();
  }

  get journal(): Journal {
    return this.#ports.journal;
  }

  /** For statements that wait for nobody. */
  get session(): Session {
    return this.#ports.connection;
  }

  /** Runs this text the way the user asked for his. What fails leaves only a rollback. */
  perform<Result>(
    statement: UserStatement<Native, Result>,
    text: string,
    parameters = statement.parameters,
  ): Promise<Result> {
    const { waits, connection } = this.#ports;
    const sent = waits.run(text, async () => {
      await connection.ready?.();
      return statement.perform(connection.native, text, parameters);
    });
    return this.failing(sent);
  }

  /** Remembers the error: in PostgreSQL the whole transaction has failed with its statement. */
  async failing<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.asLockConflict(work);
    } catch (error) {
      this.#ports.journal.fail(error);
      throw error;
    }
  }

  /** The error as Settle means it. */
  async asLockConflict<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw meaningOf(error, this.#ports.dialect, this.#ports.gid);
    }
  }
}

/** A flight is where the one of its statements is that may wait. */
function waitingFlight(fly: Fly, waits: LocalWaits): Fly {
  return (statements) => {
    const waiting = statements.find(({ mayWait }) => mayWait === true);
    return waiting === undefined ? fly(statements) : waits.run(waiting.text, () => fly(statements));
  };
}
