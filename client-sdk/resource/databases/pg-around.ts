/**
 * What goes around a statement of the user in one write and one round trip: `begin` in front of it, and
 * behind it a look at what is locked globally. The driver sends a statement when the one before it is
 * answered, and each such turn costs both sides some 50 us. By a query of our own making, as pg-cursor is
 * one, around the query that the driver itself would have made. Everything that does not fit is left to
 * the caller. Invariants: the driver's book of prepared statements is right; there is one sync, at the
 * end, so what comes after a statement that fails does not run.
 */
import {
  beginReadCommitted,
  countIn,
  flightConnectionOf,
  hasNamedStatements,
  type PgFlightConnection,
  PreparedNames,
} from '../../participant/databases/pg-flight.ts';
import type { Rider } from '../database.ts';

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

/** What goes around it. */
export interface Around {
  /** Statements separated by semicolons; null: it has begun. */
  readonly begin: string | null;
  readonly rider: Rider | null;
}

/**
 * Sends all of it; answers as the driver does, for the user's statement. Null: nothing was sent, because
 * this client or this statement does not allow it. The error is that of the first one that fails; the
 * transaction wants to be rolled back then.
 */
export function queryAround(
  client: Client,
  around: Around,
  config: Config,
): Promise<unknown> | null {
  const Query = queryClassOf(client, config);
  if (Query === null) return null;
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const query = new QueryAround(around, hasNamedStatements(client), (error, result) =>
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
class QueryAround {
  /** Replaced by the driver when there is a time limit for queries. */
  callback: Callback;
  readonly #texts: readonly string[];
  readonly #rider: Rider | null;
  readonly #names: PreparedNames;
  #query: DriverQuery | null = null;
  #begun = 0;
  #isAnswered = false;
  #found: number | null = null;

  constructor({ begin, rider }: Around, isNamed: boolean, callback: Callback) {
    this.#texts = begin === null ? [] : begin.split(';').map((text) => text.trim());
    this.#rider = rider;
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
      if (this.#rider === null) return this.#wrapped.submit(connection);
      // The sync is ours to send, behind the look.
      const failure = this.#wrapped.submit(new WithoutSync(connection));
      if (!failure) this.#names.send(connection, this.#rider.look);
      connection.sync();
      return failure;
    } finally {
      connection.stream.uncork();
    }
  }

  handleCommandComplete(message: { readonly text: string }, connection: unknown): void {
    if (this.#begun < this.#texts.length) {
      this.#begun += 1;
      return;
    }
    if (this.#isAnswered) {
      this.#found = countIn(message.text);
      return;
    }
    this.#isAnswered = true;
    this.#wrapped.handleCommandComplete(message, connection);
  }

  handleRowDescription(message: unknown): void {
    this.#wrapped.handleRowDescription(message);
  }

  handleDataRow(message: unknown): void {
    if (!this.#isAnswered) this.#wrapped.handleDataRow(message);
  }

  handlePortalSuspended(connection: unknown): void {
    this.#wrapped.handlePortalSuspended(connection);
  }

  handleEmptyQuery(connection: unknown): void {
    this.#isAnswered = true;
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
    if (this.#rider !== null) this.#rider.found = this.#found;
    this.#wrapped.handleReadyForQuery(connection);
  }

  handleError(error: unknown, connection: unknown): void {
    this.#names.drop();
    this.#wrapped.handleError(error, connection);
  }
}

/**
 * The connection as the driver's query uses it, but for the sync. Not by its prototype: that would give
 * each connection a shape of its own, and everything that touches one would be slow.
 */
class WithoutSync {
  readonly #connection: DriverConnection;

  constructor(connection: PgFlightConnection) {
    // Parse boundary: it is the driver's, and so is who calls this.
    this.#connection = connection as DriverConnection;
  }

  get stream(): object {
    return this.#connection.stream;
  }

  get parsedStatements(): object {
    return this.#connection.parsedStatements;
  }

  get submittedNamedStatements(): unknown {
    return this.#connection.submittedNamedStatements;
  }

  parse(statement: Parameters<DriverConnection['parse']>[0]): void {
    this.#connection.parse(statement);
  }

  bind(portal: Parameters<DriverConnection['bind']>[0]): void {
    this.#connection.bind(portal);
  }

  describe(portal: object): void {
    this.#connection.describe(portal);
  }

  execute(portal: object): void {
    this.#connection.execute(portal);
  }

  close(what: Parameters<DriverConnection['close']>[0]): void {
    this.#connection.close(what);
  }

  sync(): void {}
}

interface DriverConnection extends PgFlightConnection {
  readonly submittedNamedStatements?: object;
  describe(portal: object): void;
}
