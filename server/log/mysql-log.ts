/**
 * The log on MySQL 8 and on MariaDB from 10.6, in the SQL that both have. How rows are appended is
 * in mysql-append.ts, how terms change in mysql-term.ts.
 *
 * Invariants: (gid, seq) is the primary key, so a slot is given once; the share lock is held until
 * the commit, so who ends our term waits for our transactions in flight (InnoDB queues locks, so
 * none that comes later goes first). After any error but a taken slot the connection is thrown
 * away, for nobody knows its state; how soon the next one is made, the engine's retry decides.
 */
import type { CompiledQuery } from 'kysely';
import type { RowDataPacket } from 'mysql2/promise';
import {
  type IndexRowStored,
  indexRowOf,
  type LogRowStored,
  logQueries,
  logRowOf,
} from './log-queries.ts';
import { appendPart } from './mysql-append.ts';
import { createConnections } from './mysql-connections.ts';
import { durabilityWarnings, endTerm, takeOver } from './mysql-term.ts';
import { searchBy, searchQueries } from './search-queries.ts';
import {
  answerAll,
  answerMsMaxDefault,
  appendInParts,
  createGate,
  type ServerLog,
  type ServerLogOptions,
} from './server-log.ts';

/** More would queue in the database: with two, one is computed while the other is flushed. */
const commitsInFlightMax = 2;

/** Reads come from the command line, the API and recovery; none of them is hot. */
const readConnectionsMax = 4;

/** At three bytes a character still below 16 MiB, which MariaDB takes as a packet by default. */
const statementCharsMax = 4 * 1024 * 1024;

/**
 * Opens the log. Connects at the first call, so it never throws by itself; the schema must be there
 * (migrations/coordinator/mysql).
 */
export function openMysqlLog(options: ServerLogOptions): ServerLog {
  const answerMsMax = options.answerMsMax ?? answerMsMaxDefault;
  const connect = (connectionsMax: number, waitMsMax: number) =>
    createConnections({ url: options.url, connectionsMax, waitMsMax });
  const writes = connect(commitsInFlightMax, answerMsMax);
  const reads = connect(readConnectionsMax, answerMsMax);
  // Twice the time, because it waits for the appends in flight.
  const succession = connect(1, 2 * answerMsMax);
  const bounds = { answerMsMax, statementCharsMax, onTrouble: options.onTrouble };
  const gate = createGate();
  const queries = logQueries('mysql');
  const searches = searchQueries('mysql');
  const select = <Row>(query: CompiledQuery<Row>) =>
    gate.enter(() =>
      reads.use(async (connection) => {
        const [rows] = await connection.query<(RowDataPacket & Row)[]>({
          sql: query.sql,
          values: [...query.parameters],
          timeout: answerMsMax,
        });
        await connection.query({ sql: 'commit', timeout: answerMsMax });
        return rows as readonly Row[];
      }),
    );
  return {
    commitsInFlightMax,
    takeOver: (node, address, atMs) =>
      gate.enter(() => takeOver(succession, { node, address, atMs }, 2 * answerMsMax)),
    append: (term, batch) =>
      gate
        .enter(() =>
          appendInParts(batch, bounds, (part) =>
            writes.use((connection) => appendPart({ connection, answerMsMax, term }, part)),
          ),
        )
        .catch(() => answerAll(batch, 'unknown')),
    async read(gids) {
      if (gids.length === 0) return [];
      return (await select<LogRowStored>(queries.read(gids))).map(logRowOf);
    },
    openGids: async (afterGid, limit) =>
      (await select(queries.openGids(afterGid, limit))).map((row) => row.gid),
    search: (filter) => searchBy(searches, select, filter),
    async find(gids) {
      if (gids.length === 0) return [];
      return (await select<IndexRowStored>(queries.find(gids))).map(indexRowOf);
    },
    release: (term) => gate.enter(() => endTerm(succession, term)).catch(() => undefined),
    close: () =>
      gate.close(async () => {
        await Promise.all([writes, reads, succession].map((connections) => connections.close()));
      }),
    durabilityWarnings: () => gate.enter(() => durabilityWarnings(reads)),
  };
}
