/**
 * `select … for update` and its kin: which tables it locks, and the select with an image of each
 * locked row. Guards: of each locked row that comes back the image is taken.
 */
import type { LockingClause, Node, RangeVar, SelectStmt } from '@pgsql/types';
import { unsupported } from '../refusal.ts';
import { imageColumns } from '../statement.ts';
import { cteNames, refuseLocks } from './nested.ts';
import { columnAs, imageOf, referenceOf } from './nodes.ts';
import { nodesOf } from './tree.ts';

/** A table in `from` that the statement locks. */
export interface LockedTable {
  readonly table: RangeVar;
  /** Its alias, or its name. */
  readonly reference: string;
}

/** In the order of `from`. Throws AT_UNSUPPORTED_SQL for what cannot be told. */
export function lockedTables(select: SelectStmt): readonly LockedTable[] {
  refuseShapes(select);
  refuseInnerLocks(select);
  const ctes = cteNames(select);
  const items = (select.fromClause ?? []).flatMap(leavesOf);
  const isTable = ({ schemaname, relname = '' }: RangeVar) =>
    schemaname !== undefined || !ctes.has(relname);
  const locked = new Set<Node>();
  for (const clause of nodesOf(select.lockingClause, 'LockingClause')) {
    for (const item of namedItems(clause, items)) {
      if ('RangeVar' in item && isTable(item.RangeVar)) locked.add(item);
      else if (clause.lockedRels !== undefined || isQuery(item)) throw lockOnQuery();
    }
  }
  if (locked.size === 0) throw unsupported('a lock on no table', 'leave the locking clause out');
  return items
    .filter((item) => locked.has(item))
    .flatMap((item) => ('RangeVar' in item ? [item.RangeVar] : []))
    .map((table) => ({ table, reference: referenceOf(table) }));
}

/**
 * The select with `settle_before`, `settle_before_2`, … at the end of its columns. `for key share`
 * becomes `for share`: its row is a lock of ours with an image, and that must be true until the
 * commit, also when somebody updates what is no key.
 */
export function lockWithImages(select: SelectStmt): Node {
  const images = lockedTables(select).map(({ reference }, index) => {
    const suffix = index === 0 ? '' : `_${index + 1}`;
    return columnAs(`${imageColumns.before}${suffix}`, imageOf(reference));
  });
  const targetList = [...(select.targetList ?? []), ...images];
  const lockingClause = nodesOf(select.lockingClause, 'LockingClause').map((clause) => {
    const isWeak = clause.strength === 'LCS_FORKEYSHARE';
    return { LockingClause: isWeak ? { ...clause, strength: 'LCS_FORSHARE' as const } : clause };
  });
  return { SelectStmt: { ...select, targetList, lockingClause } };
}

function refuseShapes(select: SelectStmt): void {
  const isGrouped =
    select.distinctClause !== undefined ||
    select.groupClause !== undefined ||
    select.havingClause !== undefined ||
    select.windowClause !== undefined ||
    select.valuesLists !== undefined ||
    select.op !== 'SETOP_NONE';
  if (!isGrouped) return;
  throw unsupported(
    'a lock on rows of a union, of values or of groups',
    'select and lock the rows themselves, then group them',
  );
}

function refuseInnerLocks({ lockingClause: _, ...rest }: SelectStmt): void {
  refuseLocks(rest);
}

/** Tables, subqueries and functions, through joins. */
function leavesOf(item: Node): readonly Node[] {
  if (!('JoinExpr' in item)) return [item];
  const { larg, rarg, alias } = item.JoinExpr;
  if (alias !== undefined) {
    throw unsupported('a lock on a join with an alias', 'leave the alias of the join out');
  }
  return [larg, rarg].flatMap((side) => (side === undefined ? [] : leavesOf(side)));
}

/** What the clause names; all items when it names none. */
function namedItems(clause: LockingClause, items: readonly Node[]): readonly Node[] {
  if (clause.lockedRels === undefined) return items;
  return nodesOf(clause.lockedRels, 'RangeVar').map(({ relname }) => {
    const item = items.find((one) => 'RangeVar' in one && referenceOf(one.RangeVar) === relname);
    if (item === undefined) throw lockOnQuery();
    return item;
  });
}

/** A lock without names also locks the rows inside of these; functions have none. */
function isQuery(item: Node): boolean {
  return 'RangeSubselect' in item || 'RangeTableSample' in item;
}

function lockOnQuery() {
  return unsupported(
    'a lock on rows of a subquery, a CTE or a sample',
    'lock a table: `for update of` its name or alias',
  );
}
