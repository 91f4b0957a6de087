/**
 * What may stand inside of a statement: subqueries and `with`. Guards: rows are changed or locked by
 * the statement itself only, where their images are taken; and what a rewritten update has to say
 * twice means the same both times.
 */
import type { CommonTableExpr, Node, RangeVar, SelectStmt, UpdateStmt } from '@pgsql/types';
import { unsupported } from '../refusal.ts';
import { entriesOf, hasTag, nodesOf } from './tree.ts';

/** Names that begin with this are ours in the texts that we write. */
const ownPrefix = 'settle_';

const writes: ReadonlySet<string> = new Set([
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
]);

/** Throws when a write, or `select … into`, stands anywhere inside. `statement`: without its tag. */
export function refuseHiddenWrites(statement: unknown): void {
  if (hasTag(statement, writes)) {
    throw unsupported(
      'a write inside of `with`',
      'send it as a statement of its own, with `returning` for what the other one needs',
    );
  }
  if (hasTag(statement, new Set(['intoClause']))) {
    throw unsupported('select … into', 'create the table in a migration, use `insert … select`');
  }
  if (hasTag(statement, new Set(['CurrentOfExpr']))) {
    throw unsupported('where current of', 'name the row by its primary key');
  }
}

/** Throws when rows are locked in a subquery. */
export function refuseLocks(statement: unknown): void {
  if (lockingSelects(statement).length > 0) throw hiddenLock();
}

/**
 * An update or delete may pick its rows with `select … for update skip locked`: those that it
 * changes take the global lock. Throws when rows of another table, or of several, are locked.
 */
export function refuseForeignLocks(statement: unknown, target: RangeVar | undefined): void {
  for (const { from } of lockingSelects(statement)) {
    const [only, ...more] = from;
    const table = only !== undefined && 'RangeVar' in only ? only.RangeVar : undefined;
    const isTarget =
      more.length === 0 &&
      table !== undefined &&
      table.relname === target?.relname &&
      table.schemaname === target?.schemaname;
    if (!isTarget) throw hiddenLock();
  }
}

function hiddenLock() {
  return unsupported(
    'a lock on rows inside of another statement',
    'lock them first, with a `select … for update` of its own',
  );
}

function lockingSelects(statement: unknown): readonly { readonly from: readonly Node[] }[] {
  const found: { readonly from: readonly Node[] }[] = [];
  const look = (value: unknown) => {
    if (typeof value !== 'object' || value === null || !('lockingClause' in value)) return;
    // Parse boundary: only a select has a lockingClause, and its fromClause is a list of nodes.
    found.push({ from: 'fromClause' in value ? (value.fromClause as readonly Node[]) : [] });
  };
  for (const { value } of entriesOf(statement)) {
    if (Array.isArray(value)) value.forEach(look);
    else look(value);
  }
  return found;
}

/** Throws when an identifier could be taken for one of ours. Functions may be called so. */
export function refuseOwnNames(statement: unknown): void {
  for (const { value } of entriesOf(statement, new Set(['A_Const', 'funcname']))) {
    if (typeof value !== 'string' || !value.startsWith(ownPrefix)) continue;
    throw unsupported(
      `the name ${value}`,
      `names that begin with ${ownPrefix} are taken in statements that write, use another`,
    );
  }
}

/**
 * A rewritten update says `from` and `where` twice. Throws when the second time could give other
 * rows: a limit without an order that decides, a lock that skips, a sample.
 */
export function refuseUnstableCopies(update: UpdateStmt): void {
  const { relation, fromClause, whereClause, withClause } = update;
  const expressions = nodesOf(withClause, 'CommonTableExpr');
  if (relation?.schemaname === undefined) refuseNamesake(expressions, relation?.relname);
  if (fromClause === undefined) return;
  const unmaterialized = expressions.filter(
    ({ ctematerialized }) => ctematerialized === 'CTEMaterializeNever',
  );
  if (!isUnstable([fromClause, whereClause, unmaterialized])) return;
  throw unsupported(
    'update … from with a limit, a lock or a sample in a subquery',
    'move the subquery into a CTE: `with picked as materialized (…) update … from picked`',
  );
}

const unstable: ReadonlySet<string> = new Set([
  'limitCount',
  'limitOffset',
  'lockingClause',
  'distinctClause',
  'RangeTableSample',
]);

function isUnstable(tree: unknown): boolean {
  for (const { key, value } of entriesOf(tree)) {
    if (!unstable.has(key)) continue;
    // A plain `distinct` is an empty node; `distinct on` picks one row of several.
    if (key === 'distinctClause' && isPlainDistinct(value)) continue;
    return true;
  }
  return false;
}

function isPlainDistinct(clause: unknown): boolean {
  return Array.isArray(clause) && clause.every((item) => Object.keys(item).length === 0);
}

function refuseNamesake(expressions: readonly CommonTableExpr[], table: string | undefined): void {
  if (!expressions.some(({ ctename }) => ctename === table)) return;
  throw unsupported(`a CTE with the name of the table ${table}`, 'give the CTE another name');
}

/** The names that `with` gives: in `from` they hide tables. */
export function cteNames(statement: Pick<SelectStmt, 'withClause'>): ReadonlySet<string> {
  const expressions = nodesOf(statement.withClause?.ctes, 'CommonTableExpr');
  return new Set(expressions.map(({ ctename }) => ctename ?? ''));
}
