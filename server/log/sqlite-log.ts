/**
 * The embedded log: one SQLite file, written by a worker thread so that an fsync never holds up the
 * engine. One batch is one transaction. Whatever goes wrong with the file, an append answers
 * `unknown` and the same rows may be sent again. Two processes may open the file: the later term wins.
 */
import type { CompiledQuery } from 'kysely';
import type { Attention, Cause } from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { AppendAnswer, IndexRow, TransactionLog } from './log.ts';
import { SqliteLink } from './sqlite-link.ts';
import {
  answerLetters,
  encodeAppends,
  type SqliteFileOptions,
  type SqliteValue,
  type StoredIndexRow,
} from './sqlite-messages.ts';

/** How to open the file. */
export interface SqliteLogOptions extends SqliteFileOptions {
  /** Told, for the server's own log, why an append was answered `unknown`. */
  readonly onTrouble?: (failure: Failure) => void;
}

/**
 * Opens a file whose tables are there already. Throws Failure LOG_NOT_WRITABLE, SCHEMA_MISSING or
 * LOG_UNAVAILABLE; never creates the file.
 */
export async function openSqliteLog(options: SqliteLogOptions): Promise<TransactionLog> {
  const { onTrouble, ...file } = options;
  const writer = new SqliteLink(file);
  // A search may scan; on a thread of its own it does not delay a commit. Started when first used.
  const searcher = new SqliteLink(file);
  try {
    await writer.request('open', null);
  } catch (error) {
    await writer.close();
    throw error;
  }
  let searching: ReturnType<typeof loadSearches> | null = null;
  const select = async <Row>({ sql, parameters }: CompiledQuery<Row>) => {
    const values = parameters as readonly SqliteValue[];
    // Rows of our own tables have the shape of their columns: this is the parse boundary.
    return (await searcher.request('search', { sql, values })) as readonly Row[];
  };
  return {
    commitsInFlightMax: 1,
    async takeOver(node, address, atMs) {
      return { node, epoch: await writer.request('takeOver', { node, address, atMs }) };
    },
    async append(term, batch) {
      try {
        const values = encodeAppends(batch);
        return decodeAnswers(await writer.request('append', { epoch: term.epoch, values }));
      } catch (error) {
        if (error instanceof Failure) onTrouble?.(error);
        return batch.map(() => 'unknown');
      }
    },
    read: (gids) => writer.request('read', gids),
    openGids: (afterGid, limit) => writer.request('openGids', { afterGid, limit }),
    async search(filter) {
      searching ??= loadSearches();
      const { searchBy, searches } = await searching;
      return searchBy(searches, select, filter);
    },
    find: async (gids) => (await writer.request('find', gids)).map(parseIndexRow),
    async release(term) {
      // A term that could not be ended is ended by the next one.
      await writer.request('release', { epoch: term.epoch, atMs: Date.now() }).catch(() => null);
    },
    async close() {
      await Promise.all([searcher.close(), writer.close()]);
    },
  };
}

/** Loaded with the first search: a start does not wait for what writes SQL. */
async function loadSearches() {
  const { searchBy, searchQueries } = await import('./search-queries.ts');
  return { searchBy, searches: searchQueries('sqlite') };
}

function decodeAnswers(letters: string): readonly AppendAnswer[] {
  return [...letters].map((letter) => {
    if (letter === 'a' || letter === 'c' || letter === 'f') return answerLetters[letter];
    return 'unknown';
  });
}

/** The parse boundary: these texts were written by `encodeAppends`. */
function parseIndexRow(row: StoredIndexRow): IndexRow {
  return {
    ...row,
    mode: row.mode as IndexRow['mode'],
    outcome: row.outcome as IndexRow['outcome'],
    cause: row.cause === null ? null : (JSON.parse(row.cause) as Cause),
    attention: row.attention === null ? null : (JSON.parse(row.attention) as Attention),
    labels: JSON.parse(row.labels) as IndexRow['labels'],
  };
}
