/**
 * SQLite for Kysely with group commit: local transactions that wait for their turn anyway share
 * one `commit`, and so one fsync, each inside a savepoint of its own. Invariant: a transaction
 * resolves only after the commit that holds it; when that fails, the whole group fails.
 *
 * ```
 *  begin │ savepoint A … release │ savepoint B … rollback to │ savepoint C … release │ commit
 *                 A waits ───────────────────────────────────────────────────────────► A, C done
 * ```
 * It is what database servers do inside. A file that costs an fsync for each small transaction was
 * what limited the demo. It pays when handlers wait for nothing but this database: one that waits
 * for something else keeps its group waiting, too.
 */
import type { NodeSqlite, NodeSqliteStatement } from '@settle/client/sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';

/** More would make the first ones wait longer and save hardly an fsync. */
const groupSizeMax = 64;
/** A process that makes up ever new texts must not keep them all. */
const statementsMax = 256;

interface Group {
  readonly committed: PromiseWithResolvers<void>;
  size: number;
}

/** A connection from `acquire` to `release`; all of them stand for the one that the file has. */
interface Turn extends DatabaseConnection {
  hasTurn: boolean;
  isInTransaction: boolean;
}

/** For `new Kysely({ dialect })`. Transactions and plain queries; no migrations, no streaming. */
export function groupCommitDialect(database: NodeSqlite): Dialect {
  const noMigrations = (): Promise<void> =>
    Promise.reject(new Error('run migrations with SqliteDialect'));
  return {
    createAdapter: () => ({
      // Kysely would hold everybody off until the commit is over; the turns below do not.
      supportsMultipleConnections: true,
      supportsReturning: true,
      supportsTransactionalDdl: false,
      acquireMigrationLock: noMigrations,
      releaseMigrationLock: noMigrations,
    }),
    createDriver: () => createDriver(database),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function createDriver(database: NodeSqlite): Driver {
  const statement = controlStatements(database);
  const statementOf = createStatements(database);
  const waiting: (() => void)[] = [];
  let isTaken = false;
  let group: Group | null = null;

  function endGroup(): void {
    if (group === null) return;
    const { committed } = group;
    group = null;
    try {
      statement.commit();
      committed.resolve();
    } catch (error) {
      committed.reject(error);
      statement.rollback();
    }
  }

  function passTurn(turn: Turn): void {
    if (!turn.hasTurn) return;
    turn.hasTurn = false;
    if (waiting.length === 0 || (group?.size ?? 0) >= groupSizeMax) endGroup();
    const next = waiting.shift();
    if (next === undefined) isTaken = false;
    else next();
  }

  function turnOf(connection: DatabaseConnection): Turn {
    // Kysely hands back what `acquireConnection` gave.
    return connection as Turn;
  }

  return {
    async init() {},
    async acquireConnection() {
      if (isTaken) await new Promise<void>((resolve) => waiting.push(resolve));
      isTaken = true;
      const turn: Turn = {
        hasTurn: true,
        isInTransaction: false,
        async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
          // A query on its own must neither see nor join what is not committed yet.
          if (!turn.isInTransaction) endGroup();
          return execute<Row>(statementOf(query.sql), query.parameters);
        },
        streamQuery() {
          throw new Error('streaming is not supported');
        },
      };
      return turn;
    },
    async beginTransaction(connection) {
      if (group === null) {
        statement.begin();
        group = { committed: Promise.withResolvers<void>(), size: 0 };
        // When all of a group were rolled back nobody waits for its end.
        group.committed.promise.catch(() => {});
      }
      statement.savepoint();
      turnOf(connection).isInTransaction = true;
    },
    async commitTransaction(connection) {
      statement.release();
      // The savepoint was inside of it, so it is there.
      const own = group;
      if (own === null) throw new Error('the group has ended before its member');
      own.size += 1;
      passTurn(turnOf(connection));
      await own.committed.promise;
    },
    async rollbackTransaction(connection) {
      // Kysely also asks for it after a commit that failed; by then the turn is somebody else's.
      if (!turnOf(connection).hasTurn) return;
      statement.rollbackTo();
      statement.release();
      passTurn(turnOf(connection));
    },
    async releaseConnection(connection) {
      passTurn(turnOf(connection));
    },
    async destroy() {
      endGroup();
      database.close();
    },
  };
}

function controlStatements(database: NodeSqlite) {
  const prepared = (sql: string): (() => void) => {
    const statement = database.prepare(sql);
    return () => void statement.run([]);
  };
  const rollback = prepared('rollback');
  return {
    // Immediate: a group always writes, and must not find out late that it may not.
    begin: prepared('begin immediate'),
    savepoint: prepared('savepoint member'),
    release: prepared('release member'),
    rollbackTo: prepared('rollback to member'),
    commit: prepared('commit'),
    /** After a commit that failed; SQLite may have rolled back by itself, then there is nothing. */
    rollback(): void {
      try {
        rollback();
      } catch {
        // Both ways no transaction is open now; the error that matters is the commit's.
      }
    },
  };
}

/** Prepares each text once: a process has few of them, and preparing was an eighth of its time. */
function createStatements(database: NodeSqlite): (sql: string) => NodeSqliteStatement {
  const prepared = new Map<string, NodeSqliteStatement>();
  return (sql) => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    if (prepared.size >= statementsMax) prepared.clear();
    const statement = database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
}

function execute<Row>(
  statement: NodeSqliteStatement,
  parameters: readonly unknown[],
): QueryResult<Row> {
  // Parse boundary: Kysely's types say what the statement's rows look like.
  if (statement.reader) return { rows: statement.all(parameters) as Row[] };
  const { changes, lastInsertRowid } = statement.run(parameters);
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
}
