/**
 * Several statements in one write and one round trip, on a connection of `pg`: the driver sends a
 * statement when the one before it is answered, and each such turn costs both sides some 50 us. By a
 * query of our own making, as pg-cursor is one; there is one sync, so the first statement that fails
 * stops the rest. Texts with a name are kept prepared, which saves up to 100 us of planning each.
 * Invariant: what the driver's book says is prepared is so; after any failure it is prepared anew.
 */

/** One of the statements. */
export interface FlightStatement {
  readonly text: string;
  /** As PostgreSQL reads them; null is NULL. */
  readonly values?: readonly (string | null)[];
  /** Of a text that never changes: `settle_…`, so that it is not taken for one of the business. */
  readonly name?: string;
}

/** What is used of `client.connection` of `pg`, version 8 or newer. */
export interface PgFlightConnection {
  readonly stream: { cork(): void; uncork(): void };
  /** Texts by name. `pg` keeps those of the business there. */
  readonly parsedStatements: Record<string, string | undefined>;
  parse(statement: { readonly name?: string; readonly text: string }): void;
  bind(portal: { readonly statement?: string; readonly values?: FlightStatement['values'] }): void;
  execute(portal: object): void;
  close(what: { readonly type: 'S'; readonly name: string }): void;
  sync(): void;
}

/** What `client.query` asks of a query that is not a text (`Submittable` in the types of `pg`). */
export interface PgQuery {
  submit(connection: object): null;
}

/** A client that can be given more than texts. */
export interface PgFlightClient {
  query(query: PgQuery): unknown;
}

/** Whether this client lets statements go together; null: it is of another driver, or pipelines itself. */
export function flightConnectionOf(client: object): PgFlightConnection | null {
  if (!('connection' in client) || ('pipeline' in client && client.pipeline === true)) return null;
  // Parse boundary: of another driver, or of a later version, it may be anything.
  const connection = client.connection as Partial<PgFlightConnection> | null | undefined;
  if (typeof connection?.stream?.cork !== 'function') return null;
  return connection.parsedStatements === undefined ? null : (connection as PgFlightConnection);
}

/**
 * Whether the business has named statements on this connection that still stand: poolers that share
 * sessions may break names, and whoever uses such a pooler uses none.
 */
export function hasNamedStatements(client: object): boolean {
  const connection = flightConnectionOf(client);
  if (connection === null) return false;
  for (const name in connection.parsedStatements) if (!name.startsWith(own)) return true;
  return false;
}

const own = 'settle_';

/** Before anything that takes a snapshot: after one the isolation level cannot be changed. */
export const beginReadCommitted = {
  name: 'settle_begin',
  text: 'begin isolation level read committed',
} as const satisfies FlightStatement;

/** Rows that a statement has changed or found, by what the server says of it: `INSERT 0 1`, `SELECT 2`; else NaN. */
export function countIn(completed: string): number {
  return Number(completed.slice(completed.lastIndexOf(' ') + 1));
}

/**
 * Sends them and gives the number of rows that each has changed or found. Rejects with the error of
 * the first that fails, or of the connection: those before it have run, those after it have not. Ask
 * {@link flightConnectionOf} first. Names are used only where {@link hasNamedStatements}.
 */
export function fly(
  client: PgFlightClient,
  statements: readonly FlightStatement[],
): Promise<readonly number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
  const isNamed = hasNamedStatements(client);
  const landed: Callback = (error, counts) => (error ? reject(error) : resolve(counts));
  client.query(new Flight(statements, isNamed, landed));
  return promise;
}

type Callback = (error: Error | null, counts: readonly number[]) => void;

/** The driver calls its methods as the server answers, one of the last two exactly once. */
class Flight implements PgQuery {
  /** Replaced by the driver when there is a time limit for queries. */
  callback: Callback;
  readonly #statements: readonly FlightStatement[];
  readonly #names: PreparedNames;
  readonly #counts: number[] = [];

  constructor(statements: readonly FlightStatement[], isNamed: boolean, callback: Callback) {
    this.#statements = statements;
    this.#names = new PreparedNames(isNamed);
    this.callback = callback;
  }

  submit(of: object): null {
    // Parse boundary: `flightConnectionOf` has looked at it.
    const connection = of as PgFlightConnection;
    connection.stream.cork();
    try {
      for (const statement of this.#statements) this.#names.send(connection, statement);
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
    return null;
  }

  handleRowDescription(): void {}

  handleDataRow(): void {}

  handleCommandComplete({ text }: { readonly text: string }): void {
    // `BEGIN`
    this.#counts.push(countIn(text) || 0);
  }

  handleEmptyQuery(): void {
    this.#counts.push(0);
  }

  handleReadyForQuery(): void {
    this.#names.keep();
    this.callback(null, this.#counts);
  }

  handleError(error: Error): void {
    this.#names.drop();
    this.callback(error, this.#counts);
  }
}

/**
 * The statements of ours in one flight, and their names in the driver's book. `keep` or `drop` once
 * it has landed.
 */
export class PreparedNames {
  readonly #isNamed: boolean;
  readonly #sent = new Map<string, string>();
  #connection: PgFlightConnection | null = null;

  /** `isNamed`: whether names may be used. */
  constructor(isNamed: boolean) {
    this.#isNamed = isNamed;
  }

  /** Without a sync. */
  send(connection: PgFlightConnection, { text, name, values = [] }: FlightStatement): void {
    if (name === undefined || !this.#isNamed) {
      connection.parse({ text });
      connection.bind({ values });
    } else {
      if (connection.parsedStatements[name] !== text) {
        // To close what is not there is no error; what is left of a failure would be one to prepare.
        connection.close({ type: 'S', name });
        connection.parse({ name, text });
      }
      this.#connection = connection;
      this.#sent.set(name, text);
      connection.bind({ statement: name, values });
    }
    connection.execute({});
  }

  /** All of it has run: they are prepared. */
  keep(): void {
    const connection = this.#connection;
    if (connection === null) return;
    for (const [name, text] of this.#sent) connection.parsedStatements[name] = text;
  }

  /** Nobody knows how far it came: they are prepared anew the next time. */
  drop(): void {
    for (const name of this.#sent.keys()) delete this.#connection?.parsedStatements[name];
  }
}
