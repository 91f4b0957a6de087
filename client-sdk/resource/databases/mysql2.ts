/**
 * A `mysql2/promise` Pool as a resource: the pool that its user gets instead, and the connections that
 * the resource holds. Outside of a global transaction every call goes to the original, untouched.
 * Inside, all statements of a scope run on the one connection of its local transaction, whichever way
 * they are sent. The driver is an optional peer: the interfaces below name what is used.
 */
import type { HeldConnection, ResourceDatabase, UserStatement } from '../database.ts';
import type { LocalTransaction } from '../local-transaction.ts';
import { unsupported } from '../refusal.ts';
import type { Owner } from '../turns.ts';
import { type Mysql2Result, resultShape } from './mysql2-result.ts';
import type { CurrentLocal } from './pg.ts';

/** What is used of a Pool of `mysql2/promise`, version 3 or newer. */
export interface Mysql2ResourcePool {
  getConnection(): Promise<Mysql2Native>;
}

/** What is used of its PoolConnection. */
export interface Mysql2Native {
  /** Below its promises; the pool makes new ones each time. */
  readonly connection?: object;
  query(options: object): Promise<Mysql2Result>;
  execute(options: object): Promise<Mysql2Result>;
  release(): void;
  destroy(): void;
}

type Verb = 'query' | 'execute';

/** Connections of a pool. */
export function mysql2ResourceDatabase(pool: Mysql2ResourcePool): ResourceDatabase<Mysql2Native> {
  return { acquire: async () => held(await pool.getConnection()) };
}

// Said explicitly, for a pool may have been configured otherwise.
const plainRows = { rowsAsArray: false, nestTables: false, typeCast: true } as const;

function held(native: Mysql2Native): HeldConnection<Mysql2Native> {
  let isReleased = false;
  return {
    native,
    physical: native.connection ?? native,
    async begin(text) {
      await native.query({ sql: text });
    },
    async query(sql, parameters) {
      const values = parameters === undefined ? {} : { values: parameters };
      const [outcome] = await native.query({ ...plainRows, sql, ...values });
      // Parse boundary: with the options above the driver gives objects, or a header.
      if (Array.isArray(outcome)) {
        return { rows: outcome as Readonly<Record<string, unknown>>[], count: outcome.length };
      }
      return { rows: [], count: affectedRows(outcome) };
    },
    release(error) {
      if (isReleased) return;
      isReleased = true;
      if (error === undefined) native.release();
      else native.destroy();
    },
  };
}

function affectedRows(outcome: unknown): number {
  if (typeof outcome !== 'object' || outcome === null || !('affectedRows' in outcome)) {
    throw new Error('the driver answered neither rows nor how many');
  }
  return Number(outcome.affectedRows);
}

/** The pool that the user gets: same type, same behaviour, but for what sends statements. */
export function mysql2Front<Pool extends object>(pool: Pool, current: CurrentLocal): Pool {
  const sending = (verb: Verb) => {
    return (...given: unknown[]): unknown => {
      const local = current();
      if (local === undefined) return callOn(pool, verb, given);
      return runCall(local, null, { verb, given });
    };
  };
  const own: Readonly<Record<string | symbol, unknown>> = {
    query: sending('query'),
    execute: sending('execute'),
    getConnection: (...given: unknown[]): unknown => {
      const local = current();
      if (local === undefined) return callOn(pool, 'getConnection', given);
      return local.then((opened) => connectionFront(opened));
    },
    releaseConnection: (connection: { release(): void }): void => connection.release(),
  };
  return fronted(pool, own);
}

function callOn(pool: object, name: string, given: readonly unknown[]): unknown {
  const method: unknown = Reflect.get(pool, name);
  if (typeof method !== 'function') throw new TypeError(`the pool has no ${name}`);
  return Reflect.apply(method, pool, given);
}

/** The target, with some of its members replaced. */
function fronted<Target extends object>(
  target: Target,
  own: Readonly<Record<string | symbol, unknown>>,
): Target {
  return new Proxy(target, {
    get(original, name) {
      if (Object.hasOwn(own, name)) return own[name];
      const value: unknown = Reflect.get(original, name, original);
      return typeof value === 'function' ? value.bind(original) : value;
    },
  });
}

/** A connection that shares the local transaction; its `begin … commit` is a savepoint there. */
function connectionFront(local: LocalTransaction<unknown>): object {
  const owner = {};
  const run = (verb: Verb, given: readonly unknown[]): Promise<unknown> =>
    runCall(Promise.resolve(local), owner, { verb, given });
  const control = async (text: string): Promise<void> => void (await run('query', [text]));
  const release = (): void => local.leave(owner);
  return fronted(local.native as object, {
    query: (...given: unknown[]) => run('query', given),
    execute: (...given: unknown[]) => run('execute', given),
    beginTransaction: () => control('start transaction'),
    commit: () => control('commit'),
    rollback: () => control('rollback'),
    release,
    // It belongs to the local transaction, which ends by itself.
    destroy: release,
    [Symbol.asyncDispose]: async () => release(),
    ...Object.fromEntries(refused.map((name) => [name, () => refuse(name)])),
    // The connection below would answer past the local transaction.
    connection: undefined,
  });
}

const refused = ['prepare', 'unprepare', 'changeUser', 'reset', 'end', 'connect'] as const;

function refuse(name: string): never {
  throw unsupported(
    `${name}() inside of a global transaction`,
    'send statements with query() or execute()',
  );
}

interface Call {
  readonly verb: Verb;
  readonly given: readonly unknown[];
}

/** `query(text, values?)` and `query(options, values?)`, as the driver has them. */
async function runCall(
  local: Promise<LocalTransaction<unknown>>,
  owner: Owner,
  call: Call,
): Promise<unknown> {
  const statement = statementOf(call);
  return (await local).run(owner, statement);
}

function statementOf({ verb, given }: Call): UserStatement<unknown, Mysql2Result> {
  const [what, values] = given;
  const options = typeof what === 'string' ? { sql: what } : what;
  if (typeof options !== 'object' || options === null || !('sql' in options)) {
    throw unsupported('a call without a text of SQL', `call ${verb}(text, values)`);
  }
  const own = 'values' in options ? options.values : undefined;
  const parameters = parametersOf(verb, values ?? own);
  const nestTables = 'nestTables' in options ? options.nestTables : undefined;
  return {
    text: String(options.sql),
    parameters,
    perform: (connection, sql, bound) =>
      // Parse boundary: what mysql2ResourceDatabase has acquired. Values that were not given stay
      // so, for the driver then leaves question marks in the text alone.
      (connection as Mysql2Native)[verb]({
        ...options,
        sql,
        values: bound.length === 0 ? undefined : bound,
      }),
    results: resultShape(nestTables),
  };
}

function parametersOf(verb: Verb, values: unknown): readonly unknown[] {
  if (values === undefined || values === null) return [];
  const list: readonly unknown[] = Array.isArray(values) ? values : [values];
  if (!Array.isArray(values) && isPlainObject(values)) {
    throw unsupported('named placeholders', 'write `?` in the text and give a list of values');
  }
  // The driver writes objects into the text as SQL, which nobody would have read.
  if (verb === 'query' && list.some(becomesSql)) {
    throw unsupported(
      'a value that the driver turns into SQL',
      'give plain values; write the columns into the text, and json as a text',
    );
  }
  return list;
}

function becomesSql(value: unknown): boolean {
  if (Array.isArray(value)) return value.some((each) => Array.isArray(each) || becomesSql(each));
  return isPlainObject(value);
}

/** Everything but dates and bytes. */
function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return 'toSqlString' in value || !(value instanceof Date || value instanceof Uint8Array);
}
