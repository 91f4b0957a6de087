/**
 * `begin` and the statement of the user behind it in one write and one round trip: the driver sends a
 * statement when the one before it is answered, and each such turn costs both sides some 50 us. By a query
 * of our own making, as pg-cursor is one, around the query that the driver itself would have made.
 * Everything that does not fit is left to the caller. Invariants: the driver's book of prepared statements
 * is right; there is one sync, at the end, so the statement does not run when the begin fails.
 */
import {
  beginReadCommitted,
  flightConnectionOf,
  hasNamedStatements,
  type PgFlightConnection,
  PreparedNames,
} from '../../participant/databases/pg-flight.ts';

type Callback = (error: Error | null | undefined, result?: unknown) => void;
type Handler = (message: unknown, connection?: unknown) => void;

/** The driver's own query: what it calls while the server answers. */
interface DriverQuery {
  callback: Callback;
  binary?: boolean;
  readonly _result?: object;
  submit(connection: object): unknown;
  readonly handleRowDescription: Handler;
  readonly handleDataRow: Handler;
  readonly handlePortalSuspended: Handler;
  readonly handleCommandComplete: Handler;
  readonly handleEmptyQuery: Handler;
  readonly handleCopyInResponse: Handler;
  readonly handleCopyData: Handler;
  readonly handleReadyForQuery: Handler;
  readonly handleError: Handler;
}

type DriverQueryClass = new (config: object, values: undefined, callback: Callback) => DriverQuery;

/** What is looked at in a configuration. */
interface Config {
  readonly name?: unknown;
  readonly rows?: unknown;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A client that can be given more than texts. */
interface Client {
  query(query: object): unknown;
}

/**
 * Sends all of it, `begin` being statements separated by semicolons; answers as the driver does, for the
 * user's statement. Null: nothing was sent, because this client or this statement does not allow it. The
 * error is that of the first one that fails; the transaction wants to be rolled back then.
 */
export function queryBehind(
  client: Client,
  begin: string,
  config: Config,
): Promise<unknown> | null {
  const Query = queryClassOf(client, config);
  if (Query === null) return null;
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const query = new QueryBehind(begin, hasNamedStatements(client), (error, result) =>
    error ? reject(error) : resolve(result),
  );
  query.wrap(new Query(config, undefined, (error, result) => query.callback(error, result)));
  client.query(query);
  return promise;
}

function queryClassOf(client: object, config: Config): DriverQueryClass | null {
  const connection = flightConnectionOf(client);
  // Parse boundary: of another driver, or of a later version, it may be anything.
  const { Query } = client.constructor as { readonly Query?: DriverQueryClass };
  if (connection === null || typeof Query !== 'function') return null;
  const { name, text, values, rows } = config;
  // It would come back for more of them.
  if (rows !== undefined) return null;
  // The driver takes the answer to the parse of `begin` for that of a name it waits for.
  if (name !== undefined) return connection.parsedStatements[String(name)] === text ? Query : null;
  // Without values it goes as a plain text, which has no sync.
  return values.length > 0 ? Query : null;
}

/** The driver calls its methods as the server answers. It has no name: that is the user's query's. */
class QueryBehind {
  /** Replaced by the driver when there is a time limit for queries. */
  callback: Callback;
  readonly #texts: readonly string[];
  readonly #names: PreparedNames;
  #query: DriverQuery | null = null;
  #begun = 0;

  constructor(begin: string, isNamed: boolean, callback: Callback) {
    this.#texts = begin.split(';').map((text) => text.trim());
    this.#names = new PreparedNames(isNamed);
    this.callback = callback;
  }

  wrap(query: DriverQuery): void {
    this.#query = query;
  }

  get #wrapped(): DriverQuery {
    if (this.#query === null) throw new Error('nothing is wrapped');
    return this.#query;
  }

  /** Where the driver puts the client's own parsers of types. */
  get _result(): object | undefined {
    return this.#wrapped._result;
  }

  get binary(): boolean {
    return this.#wrapped.binary === true;
  }

  set binary(value: boolean) {
    this.#wrapped.binary = value;
  }

  submit(of: object): unknown {
    // Parse boundary: `queryClassOf` has looked at it.
    const connection = of as PgFlightConnection;
    connection.stream.cork();
    try {
      for (const text of this.#texts) {
        const isBegin = text === beginReadCommitted.text;
        this.#names.send(connection, isBegin ? beginReadCommitted : { text });
      }
      return this.#wrapped.submit(connection);
    } finally {
      connection.stream.uncork();
    }
  }

  handleCommandComplete(message: unknown, connection: unknown): void {
    if (this.#begun < this.#texts.length) {
      this.#begun += 1;
      return;
    }
    this.#wrapped.handleCommandComplete(message, connection);
  }

  handleRowDescription(message: unknown): void {
    this.#wrapped.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    this.#wrapped.handleDataRow(message);
  }

  handlePortalSuspended(connection: unknown): void {
    this.#wrapped.handlePortalSuspended(connection);
  }

  handleEmptyQuery(connection: unknown): void {
    this.#wrapped.handleEmptyQuery(connection);
  }

  handleCopyInResponse(connection: unknown): void {
    this.#wrapped.handleCopyInResponse(connection);
  }

  handleCopyData(message: unknown): void {
    this.#wrapped.handleCopyData(message);
  }

  handleReadyForQuery(connection: unknown): void {
    this.#names.keep();
    this.#wrapped.handleReadyForQuery(connection);
  }

  handleError(error: unknown, connection: unknown): void {
    this.#names.drop();
    this.#wrapped.handleError(error, connection);
  }
}
