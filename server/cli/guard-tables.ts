/**
 * Puts guards on tables of a participant's database, and takes them away. What a guard is belongs to
 * the SDK, which has to know its own again; here it is connected, run and told. Guards: the SQL that
 * is printed is the SQL that would run.
 */
import type { Session } from '../../client-sdk/resource/facts.ts';
import type { GuardPlan, GuardWish } from '../../client-sdk/resource/guard.ts';
import { planGuardOnMysql } from '../../client-sdk/resource/mysql/guard-plan.ts';
import { partsOf as partsOnMysql } from '../../client-sdk/resource/mysql/names.ts';
import { partsOf as partsOnPostgres } from '../../client-sdk/resource/postgres/functions.ts';
import { planGuardOnPostgres } from '../../client-sdk/resource/postgres/guard-plan.ts';
import type { Executor } from '../../migrations/executor.ts';
import { parseLogUrl } from '../log/log-url.ts';
import { withExecutor } from '../log/schema.ts';
import { Failure } from '../runtime/failure.ts';

/** One table and what is wanted of it. `table` as the catalogue spells it, with or without a schema. */
export interface GuardOrder {
  readonly table: string;
  readonly wish: GuardWish;
}

/** What was done for a table; `statements` is empty when it was so already. */
export interface Guarded {
  readonly wish: GuardWish;
  /** With its schema. */
  readonly table: string;
  readonly statements: readonly string[];
}

/**
 * Carries the orders out in their order and answers what it ran. Safe to repeat. Throws Failure
 * INVALID_CONFIG for a database, a table or a key that can have no guard, and what
 * `migrateDatabase` throws; on PostgreSQL nothing is kept then, on MySQL what came before.
 */
export function guardTables(
  url: string,
  orders: readonly GuardOrder[],
): Promise<readonly Guarded[]> {
  return withDatabase(url, (executor) =>
    executor.exclusively(async () => {
      const done: Guarded[] = [];
      for (const order of orders) {
        const guarded = await planned(executor, order);
        for (const statement of guarded.statements) await executor.run(statement, []);
        done.push(guarded);
      }
      return done;
    }),
  );
}

/** What {@link guardTables} would run now, as text for people. Reads the tables' keys, changes nothing. */
export function printGuards(url: string, orders: readonly GuardOrder[]): Promise<string> {
  return withDatabase(url, async (executor) => {
    const statements: string[] = [];
    for (const order of orders) statements.push(...(await planned(executor, order)).statements);
    const isMysql = executor.dialect === 'mysql';
    // Bodies of triggers have semicolons in them, at which the client of MySQL would end them.
    const end = isMysql ? '//' : ';';
    const texts = statements.map((statement) => `${statement}${end}\n`);
    return (isMysql ? ['delimiter //\n', ...texts, 'delimiter ;\n'] : texts).join('\n');
  });
}

async function withDatabase<T>(url: string, work: (executor: Executor) => Promise<T>): Promise<T> {
  const target = parseLogUrl(url);
  if (target.kind === 'postgres' || target.kind === 'mysql') return withExecutor(target, work);
  throw new Failure('INVALID_CONFIG', 'Only PostgreSQL and MySQL have guards.');
}

async function planned(executor: Executor, { table, wish }: GuardOrder): Promise<Guarded> {
  const session: Session = {
    async query(text, parameters = []) {
      // Names are all that it is asked with; one that is null must stay so.
      const names = parameters.map((value) => (value === null ? null : String(value)));
      const rows = await executor.run(text, names);
      return { rows, count: rows.length };
    },
  };
  const plan = await planFor(executor, session, { table, wish });
  if (plan.kind === 'statements') return { wish, table: plan.table, statements: plan.statements };
  throw new Failure('INVALID_CONFIG', `${table} ${plan.why}. ${plan.hint}`);
}

async function planFor(
  { dialect }: Executor,
  session: Session,
  { table, wish }: GuardOrder,
): Promise<GuardPlan> {
  const isMysql = dialect === 'mysql';
  const parts = isMysql ? partsOnMysql(table) : partsOnPostgres(table);
  const [schema, name] = parts.length === 1 ? [null, parts[0]] : [parts[0] ?? null, parts[1]];
  if (name === undefined || parts.length > 2) {
    throw new Failure('INVALID_CONFIG', `"${table}" names no table: write table or schema.table.`);
  }
  if (isMysql) return planGuardOnMysql(session, { schema, name }, wish);
  return planGuardOnPostgres(session, { schema, name }, wish);
}
