/**
 * A few connections to MySQL or MariaDB, set up alike. Not mysql2's own pool, because that one hands
 * a connection out before its settings are known to have been taken. Invariant: a connection that
 * has seen an error is destroyed and never used again; what was open on it rolls back.
 */
import { type Connection, createConnection } from 'mysql2/promise';

/** How the connections are made. */
export interface ConnectionsOptions {
  readonly url: string;
  /** Work beyond this number waits. */
  readonly connectionsMax: number;
  /** For connecting, and for waiting on a row lock. */
  readonly waitMsMax: number;
}

/** The connections; each is used by one piece of work at a time. */
export interface Connections {
  /** Runs the work on a connection. Throws what it throws, or why no connection could be had. */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Closes the idle ones; call it when no work runs. */
  close(): Promise<void>;
}

/** Opens none yet: the first use does. */
export function createConnections(options: ConnectionsOptions): Connections {
  const idle: Connection[] = [];
  const waiting: (() => void)[] = [];
  let busy = 0;
  const forget = (connection: Connection) => {
    const at = idle.indexOf(connection);
    if (at >= 0) idle.splice(at, 1);
  };
  const take = async () => idle.pop() ?? (await open(options, forget));
  return {
    async use(work) {
      if (busy < options.connectionsMax) busy += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        const connection = await take();
        try {
          const result = await work(connection);
          idle.push(connection);
          return result;
        } catch (error) {
          connection.destroy();
          throw error;
        }
      } finally {
        // The place is handed on, or given up.
        const next = waiting.shift();
        if (next === undefined) busy -= 1;
        else next();
      }
    },
    async close() {
      await Promise.all(idle.splice(0).map((connection) => connection.end()));
    },
  };
}

async function open(
  { url, waitMsMax }: ConnectionsOptions,
  forget: (connection: Connection) => void,
): Promise<Connection> {
  const connection = await createConnection({
    uri: url,
    connectTimeout: waitMsMax,
    charset: 'UTF8MB4_BIN',
    enableKeepAlive: true,
    // A stack kept per call, for the case that it fails, is 8 % of an append; codes tell enough.
    trace: false,
  });
  // An idle connection broke; without a listener the error would end the process.
  connection.on('error', () => forget(connection));
  try {
    await setUp(connection, waitMsMax);
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/**
 * Read committed, so that a statement sees what was committed while it waited, and no gap is locked.
 * The mode refuses what does not fit instead of cutting it, and lets the driver quote by backslash.
 */
async function setUp(connection: Connection, waitMsMax: number): Promise<void> {
  const statements = [
    'set session transaction isolation level read committed',
    `set session autocommit = 0, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
       innodb_lock_wait_timeout = ${Math.max(1, Math.floor(waitMsMax / 1000))}`,
  ];
  for (const sql of statements) await connection.query({ sql, timeout: waitMsMax });
}
