/**
 * A `pg` Pool as a resource: the pool that its user gets instead, and the connections that the
 * resource holds. Outside of a global transaction every call goes to the original, untouched. Inside,
 * all statements of a scope run on the one connection of its local transaction, whichever way they
 * are sent. The driver is an optional peer: the interfaces below name what is used.
 */

import {
  flightConnectionOf,
  fly,
  hasNamedStatements,
} from '../../participant/databases/pg-flight.ts';
import type { HeldConnection, ResourceDatabase, ResultShape, UserStatement } from '../database.ts';
import type { Fly } from '../facts.ts';
import type { LocalTransaction } from '../local-transaction.ts';
import { unsupported } from '../refusal.ts';
import type { Owner } from '../turns.ts';
import { queryBehind } from './pg-begin.ts';

/** What is used of `pg.Pool`, version 8 or newer. */
export interface PgResourcePool {
  connect(): Promise<PgNative>;
}

/** What is used of `pg.PoolClient`. */
export interface PgNative {
  query(config: object): Promise<PgRows>;
  query(text: string, values?: readonly unknown[]): Promise<PgRows>;
  release(broken?: Error | boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
}

/** What is used of `pg.QueryResult`; rows are lists when the query says so. */
export interface PgRows {
  rowCount: number | null;
  rows: unknown[];
  fields: { readonly name: string }[];
}

/** The local transaction of the scope that runs; undefined outside of any. */
export type CurrentLocal = () => Promise<LocalTransaction<unknown>> | undefined;

/** A client that is held, and what is still to be sent to begin its transaction. */
export interface PgLine {
  readonly client: PgNative;
  begin: string | null;
}

/** Connections of a pool. */
export function pgResourceDatabase(pool: PgResourcePool): ResourceDatabase<PgLine> {
  return { acquire: async () => held(await pool.connect()) };
}

function held(client: PgNative): HeldConnection<PgLine> {
  const native: PgLine = { client, begin: null };
  let broken: Error | undefined;
  let isReleased = false;
  // A client that loses its connection between two queries emits an error; the pool does not listen
  // while the client is lent, and without a listener the process would die.
  const onError = (error: Error): void => {
    broken ??= error;
  };
  client.on('error', onError);
  return {
    native,
    physical: client,
    async begin(text) {
      native.begin = text;
    },
    async query(text, parameters, name) {
      await beginNow(native);
      // Poolers that share sessions may break names; whoever uses one names no statements.
      const isPrepared = name !== undefined && hasNamedStatements(client);
      const sent = isPrepared
        ? client.query({ name, text, values: parameters })
        : // Not as an object, which the driver copies property by property.
          client.query(text, parameters);
      const { rows, rowCount } = lastOf(await sent);
      // Parse boundary: without `rowMode` the driver gives objects.
      return { rows: rows as Readonly<Record<string, unknown>>[], count: rowCount ?? 0 };
    },
    ...(flightConnectionOf(client) === null ? {} : { fly: flying(native) }),
    release(error) {
      if (isReleased) return;
      isReleased = true;
      client.removeListener('error', onError);
      client.release(error ?? broken);
    },
  };
}

function flying(line: PgLine): Fly {
  return async (statements) => {
    await beginNow(line);
    return fly(line.client, statements);
  };
}

async function beginNow(line: PgLine): Promise<void> {
  const { client, begin } = line;
  line.begin = null;
  if (begin !== null) await client.query(begin);
}

/** Of a text of several statements the driver gives a list. */
function lastOf(result: PgRows | readonly PgRows[]): PgRows {
  if (!('length' in result)) return result;
  const last = result.at(-1);
  if (last === undefined) throw new Error('the database answered nothing');
  return last;
}

/** The pool that the user gets: same type, same behaviour, but for `query` and `connect`. */
export function pgFront<Pool extends object>(pool: Pool, current: CurrentLocal): Pool {
  const query = (...given: unknown[]): unknown => {
    const local = current();
    if (local === undefined) return callOn(pool, 'query', given);
    return runCall(local, null, given);
  };
  const connect = (...given: unknown[]): unknown => {
    const local = current();
    if (local === undefined) return callOn(pool, 'connect', given);
    const [callback] = given;
    const client = local.then((opened) => clientFront(opened));
    if (typeof callback !== 'function') return client;
    client.then(
      (one) => callback(null, one, one.release),
      (error: unknown) => callback(error, undefined, () => undefined),
    );
    return undefined;
  };
  return new Proxy(pool, {
    get(target, name) {
      if (name === 'query') return query;
      if (name === 'connect') return connect;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function callOn(pool: object, name: 'query' | 'connect', given: readonly unknown[]): unknown {
  const method: unknown = Reflect.get(pool, name);
  if (typeof method !== 'function') throw new TypeError(`the pool has no ${name}`);
  return Reflect.apply(method, pool, given);
}

/** A client that shares the local transaction; its `begin … commit` is a savepoint there. */
function clientFront(local: LocalTransaction<unknown>): { release(): void } {
  // Parse boundary: what pgResourceDatabase has acquired.
  const line = local.native as PgLine;
  const owner = {};
  const query = (...given: unknown[]): unknown => runCall(Promise.resolve(local), owner, given);
  const release = (): void => local.leave(owner);
  return new Proxy(line.client as { release(): void }, {
    get(target, name) {
      if (name === 'query') return query;
      if (name === 'release') return release;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** `query(text, values?, callback?)` and `query(config, values?, callback?)`, as the driver has them. */
function runCall(
  local: Promise<LocalTransaction<unknown>>,
  owner: Owner,
  given: readonly unknown[],
): unknown {
  const callback = given.find((argument) => typeof argument === 'function');
  const values = given.find((argument) => Array.isArray(argument));
  const answer = local.then((opened) => opened.run(owner, statementOf(given[0], values)));
  if (typeof callback !== 'function') return answer;
  answer.then(
    (result) => callback(null, result),
    (error: unknown) => callback(error),
  );
  return undefined;
}

function statementOf(what: unknown, values: unknown): UserStatement<unknown, PgRows> {
  const config = typeof what === 'string' ? { text: what } : what;
  if (typeof config !== 'object' || config === null || !('text' in config)) {
    throw unsupported('a call without a text of SQL', 'call query(text, values)');
  }
  if ('submit' in config && typeof config.submit === 'function') {
    throw unsupported('a cursor or stream', 'read the rows with a plain query');
  }
  const { text } = config;
  const own = 'values' in config && Array.isArray(config.values) ? config.values : [];
  const parameters: readonly unknown[] = Array.isArray(values) ? values : own;
  return {
    text: String(text),
    parameters,
    async perform(connection, sql, bound) {
      // Parse boundary: what pgResourceDatabase has acquired.
      const line = connection as PgLine;
      const named = 'name' in config && sql !== text ? { name: `settle ${config.name}` } : {};
      return performOn(line, { ...config, ...named, text: sql, values: bound });
    },
    results: 'rowMode' in config && config.rowMode === 'array' ? listResults : objectResults,
  };
}

async function performOn(line: PgLine, config: PgStatement): Promise<PgRows> {
  const { client, begin } = line;
  const sent = begin === null ? null : queryBehind(client, begin, config);
  if (sent === null) {
    await beginNow(line);
    return lastOf(await client.query(config));
  }
  line.begin = null;
  // Parse boundary: the driver's own query has made it.
  return lastOf((await sent) as PgRows | readonly PgRows[]);
}

interface PgStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

const objectResults: ResultShape<PgRows> = {
  // Parse boundary: without `rowMode` the driver gives objects.
  rowsOf: ({ rows }) => rows as Readonly<Record<string, unknown>>[],
  without(result, columns, keepsRows) {
    if (!keepsRows) return emptied(result);
    result.fields = result.fields.filter(({ name }) => !columns.includes(name));
    for (const row of result.rows) {
      if (typeof row !== 'object' || row === null) continue;
      for (const column of columns) Reflect.deleteProperty(row, column);
    }
    return result;
  },
};

/** With `rowMode: 'array'`. The columns of ours are the last ones. */
const listResults: ResultShape<PgRows> = {
  rowsOf: ({ rows, fields }) =>
    rows.map((row) =>
      Object.fromEntries(fields.map(({ name }, i) => [name, Array.isArray(row) ? row[i] : null])),
    ),
  without(result, columns, keepsRows) {
    if (!keepsRows) return emptied(result);
    const kept = result.fields.filter(({ name }) => !columns.includes(name));
    result.fields = kept;
    result.rows = result.rows.map((row) => (Array.isArray(row) ? row.slice(0, kept.length) : row));
    return result;
  },
};

function emptied(result: PgRows): PgRows {
  result.rows = [];
  result.fields = [];
  return result;
}
