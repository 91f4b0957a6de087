/** PostgreSQL as random cases see it, plain or under Settle. */
import type pg from 'pg';
import { SettleError } from '../../../client-sdk/index.ts';
import type {
  Failure,
  Outcome,
  RandomDatabase,
  RandomKind,
  RandomPool,
  Sender,
} from './database.ts';
import type { RandomStatement } from './pieces.ts';
import { randomStatement, startingRow } from './postgres-statements.ts';
import { literal, type RandomPair, type RandomTable, randomPair } from './postgres-tables.ts';

/** What can be done with its tables. */
export const postgresKind: RandomKind<RandomPair> = {
  randomPair,
  ddl: ({ parent, child }) => [parent.ddl, child.ddl],
  sourceOf: (pair) => ({
    startingRows: [startingRow(pair.parent), startingRow(pair.child)],
    statement: randomStatement(pair),
  }),
};

/** The pool of a resource, or any other. */
export function postgresPool(pool: pg.Pool): RandomPool {
  return {
    ...senderOn(pool),
    async connect() {
      const client = await pool.connect();
      return { ...senderOn(client), release: () => client.release() };
    },
  };
}

/** The original of a pool. */
export function postgresDatabase(pool: pg.Pool): RandomDatabase<RandomPair> {
  return {
    ...postgresPool(pool),
    async empty({ parent, child }) {
      // A delete takes a tenth of a truncate's time on small tables.
      await pool.query(`delete from ${child.name}; delete from ${parent.name};
        select setval(c.oid::regclass, 1, false) from pg_class c join pg_depend d on d.objid = c.oid
          where c.relkind = 'S' and d.refobjid in (${regclass(parent)}, ${regclass(child)})`);
    },
    contents: ({ parent, child }) => contentsOf(pool, [parent, child]),
    async undoRows(gid) {
      const text = 'select 1 from settle_undo where gid = $1 or $1::text is null';
      return (await pool.query(text, [gid])).rows.length;
    },
  };
}

/** Null: it is no error of the database. */
export function postgresFailure(error: unknown): Failure | null {
  const isOfDatabase = error instanceof Error && 'code' in error;
  if (!isOfDatabase || error instanceof SettleError) return null;
  const code = String(error.code);
  return { code, kind: kindOf(code), isUpToPlan: code === '23505' };
}

function kindOf(code: string): Failure['kind'] {
  if (code === '23505') return 'unique';
  if (code === '23503') return 'foreignKey';
  return code.startsWith('2') ? 'misfit' : 'other';
}

function senderOn(to: Pick<pg.Pool, 'query'>): Sender {
  return {
    async send({ text, parameters }: RandomStatement): Promise<Outcome> {
      const { rowCount, rows } = await to.query(text, [...parameters]);
      return { count: rowCount, rows: (rows ?? []).map((row) => JSON.stringify(row)).sort() };
    },
  };
}

function regclass({ name }: RandomTable): string {
  return `${literal(name)}::regclass`;
}

async function contentsOf(
  pool: pg.Pool,
  tables: readonly RandomTable[],
): Promise<readonly string[]> {
  const rows = tables.map(({ name }) => `select t::text as row from ${name} t`);
  const answers = await pool.query(`set timezone to 'UTC'; set extra_float_digits to 1;
    set datestyle to 'ISO, YMD';
    ${rows.map((each) => `select row, md5(row) from (${each}) t order by row collate "C"`).join(';')}`);
  return rowsIn(answers).map((found) => JSON.stringify(found));
}

/** Of a text of several statements the driver gives a list. */
function rowsIn(answers: unknown): readonly unknown[] {
  if (!Array.isArray(answers)) throw new Error('expected the answers to several statements');
  return answers.slice(-2).map(({ rows }) => rows);
}
