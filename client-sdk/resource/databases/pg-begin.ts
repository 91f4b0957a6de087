/**
 * `begin` in front of a statement of the user, in one write and one round trip: the driver sends a
 * statement when the one before it is answered, and each such turn costs both sides some 50 us. By a
 * query of our own making, as pg-cursor is one, around the query that the driver itself would have
 * made. Only for what ends in a sync of its own, so that no answer is missing when `begin` fails;
 * everything else is left to the caller. Invariant: the driver's book of prepared statements is right.
 */

/** What is used of `client.connection` of `pg`, version 8 or newer. */
interface PgConnection {
  readonly stream: { cork(): void; uncork(): void };
  /** Texts by name, as the driver keeps them. */
  readonly parsedStatements: Record<string, string | undefined>;
  parse(statement: { readonly text: string }): void;
  bind(portal: object): void;
  execute(portal: object): void;
}

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
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A client that can be given more than texts. */
interface Client {
  query(query: object): unknown;
}

/**
 * Sends the statements of `begin`, separated by semicolons, and then the user's; answers as the driver
 * does. Null: nothing was sent, because this client or this statement does not allow it. The error is
 * that of the first one that fails; the transaction wants to be rolled back then.
 */
export function queryAfterBegin(
  client: Client,
  begin: string,
  config: Config,
): Promise<unknown> | null {
  const Query = queryClassOf(client, config);
  if (Query === null) return null;
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const texts = begin.split(';').map((text) => text.trim());
  const query = new AfterBegin(texts, (error, result) => (error ? reject(error) : resolve(result)));
  query.wrap(new Query(config, undefined, (error, result) => query.callback(error, result)));
  client.query(query);
  return promise;
}

function queryClassOf(client: object, { name, text, values }: Config): DriverQueryClass | null {
  if (!('connection' in client) || ('pipeline' in client && client.pipeline === true)) return null;
  // Parse boundary: of another driver, or of a later version, these may be anything.
  const connection = client.connection as Partial<PgConnection> | null | undefined;
  const { Query } = client.constructor as { readonly Query?: DriverQueryClass };
  if (typeof connection?.stream?.cork !== 'function' || typeof Query !== 'function') return null;
  // The driver takes the answer to the parse of `begin` for that of a name it waits for.
  if (name !== undefined)
    return connection.parsedStatements?.[String(name)] === text ? Query : null;
  // Without values it goes as a plain text, which has no sync.
  return values.length > 0 ? Query : null;
}

/** The driver calls its methods as the server answers. It has no name: that is the user's query's. */
class AfterBegin {
  /** Replaced by the driver when there is a time limit for queries. */
  callback: Callback;
  readonly #texts: readonly string[];
  #query: DriverQuery | null = null;
  #begun = 0;

  constructor(texts: readonly string[], callback: Callback) {
    this.#texts = texts;
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
    const connection = of as PgConnection;
    connection.stream.cork();
    try {
      for (const text of this.#texts) {
        connection.parse({ text });
        connection.bind({});
        connection.execute({});
      }
      return this.#wrapped.submit(connection);
    } finally {
      connection.stream.uncork();
    }
  }

  handleCommandComplete(message: unknown, connection: unknown): void {
    if (this.#begun < this.#texts.length) this.#begun += 1;
    else this.#wrapped.handleCommandComplete(message, connection);
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
    this.#wrapped.handleReadyForQuery(connection);
  }

  handleError(error: unknown, connection: unknown): void {
    this.#wrapped.handleError(error, connection);
  }
}
