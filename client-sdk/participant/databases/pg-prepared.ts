/**
 * `begin` and the insert of the guard row as a statement that PostgreSQL has planned already: still
 * one write and one round trip, by a query of our own making, as pg-cursor is one. Only on a
 * connection on which the business has named a statement itself: poolers that share sessions
 * may break names, and whoever uses such a pooler uses none. Invariant: what is kept as prepared is
 * so; after any failure it is prepared anew.
 */

/** What is used of `client.connection` of `pg`, version 8 or newer. */
interface PgConnection {
  readonly stream: { cork(): void; uncork(): void };
  /** Texts by name. `pg` keeps those of the business there. */
  readonly parsedStatements: Record<string, string | undefined>;
  parse(statement: { readonly name?: string; readonly text: string }): void;
  bind(portal: { readonly statement?: string; readonly values?: readonly string[] }): void;
  execute(portal: object): void;
  close(what: { readonly type: 'S'; readonly name: string }): void;
  sync(): void;
}

/** What `client.query` asks of a query that is not a text (`Submittable` in the types of `pg`). */
export interface PgQuery {
  submit(connection: object): null;
}

const begin = 'begin isolation level read committed';
const insert = {
  name: 'settle_barrier_insert',
  text: `insert into settle_barrier (gid, branch_id, operation, state, created_at_ms)
    values ($1, $2, $3, $4, $5) on conflict do nothing`,
} as const;

/** Whether the business has named statements on this connection that still stand. */
export function hasNamedStatements(client: object): boolean {
  if (!('connection' in client)) return false;
  // Parse boundary: of another driver, or of a later version, it may be anything.
  const connection = client.connection as Partial<PgConnection> | null | undefined;
  const { parsedStatements, stream } = connection ?? {};
  if (parsedStatements === undefined || typeof stream?.cork !== 'function') return false;
  return Object.keys(parsedStatements).some((name) => name !== insert.name);
}

/**
 * Begins a transaction and inserts a row: `values` in the order of the columns. Gives the number of
 * rows that were inserted. Rejects with the error of the database or of the connection; the
 * transaction may be open then, and wants to be rolled back.
 */
export function beginPrepared(
  query: (query: PgQuery) => unknown,
  values: readonly string[],
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  query(new BeginAndInsert(values, (error, rows) => (error ? reject(error) : resolve(rows))));
  return promise;
}

type Callback = (error: Error | null, rows: number) => void;

/** The driver calls its methods as the server answers, one of the last two exactly once. */
class BeginAndInsert implements PgQuery {
  /** Replaced by the driver when there is a time limit for queries. */
  callback: Callback;
  readonly #values: readonly string[];
  #rows = -1;
  #connection: PgConnection | null = null;

  constructor(values: readonly string[], callback: Callback) {
    this.#values = values;
    this.callback = callback;
  }

  submit(of: object): null {
    // Parse boundary: `hasNamedStatements` has looked at it.
    const connection = of as PgConnection;
    this.#connection = connection;
    connection.stream.cork();
    // Before anything that takes a snapshot: after one the isolation level cannot be changed.
    connection.parse({ text: begin });
    connection.bind({});
    connection.execute({});
    if (connection.parsedStatements[insert.name] !== insert.text) {
      // To close what is not there is no error; what is left of a failure would be one to prepare.
      connection.close({ type: 'S', name: insert.name });
      connection.parse(insert);
    }
    connection.bind({ statement: insert.name, values: this.#values });
    connection.execute({});
    connection.sync();
    connection.stream.uncork();
    return null;
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    // "BEGIN", then "INSERT 0 1".
    if (text.startsWith('INSERT ')) this.#rows = Number(text.split(' ').at(-1));
  }

  handleReadyForQuery(): void {
    if (this.#connection !== null) {
      this.#connection.parsedStatements[insert.name] = insert.text;
    }
    this.callback(null, this.#rows);
  }

  handleError(error: Error): void {
    if (this.#connection !== null) delete this.#connection.parsedStatements[insert.name];
    this.callback(error, 0);
  }
}
