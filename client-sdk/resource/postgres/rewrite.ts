/**
 * The user's insert, update or delete with `returning` images of its rows. Guards: the image before
 * an update is of the very version that it updates, whoever else writes; parameters keep their
 * numbers, and the user's columns their names and order.
 *
 * ```
 * update acct a set cents = cents - $1 where a.id = $2          becomes
 *
 * with settle_rows as materialized (
 *   select a.id as settle_key_1, settle_image(a.*) as settle_row
 *   from acct a where a.id = $2 order by a.id for no key update of a)
 * update acct a set cents = cents - $1
 * from settle_rows where a.id = $2 and a.id = settle_rows.settle_key_1
 * returning settle_rows.settle_row as settle_before, settle_image(a.*) as settle_after
 * ```
 * Where the columns allow it, `plainImageOf` stands in place of `settle_image`.
 */
import type { DeleteStmt, InsertStmt, Node, UpdateStmt } from '@pgsql/types';
import type { TableFacts } from '../facts.ts';
import { unsupported } from '../refusal.ts';
import { imageColumns } from '../statement.ts';
import {
  allColumns,
  allOf,
  column,
  columnAs,
  equal,
  imageOf,
  lockingSelect,
  nullText,
  plainImageOf,
  referenceOf,
  returningAlso,
  tableNode,
} from './nodes.ts';
import type { Appended } from './parser.ts';
import { entriesOf } from './tree.ts';

const rows = 'settle_rows';
const rowColumn = 'settle_row';

/** Only rows that were inserted come back: `on conflict do nothing` needs no more. */
export function insertWithImages(insert: InsertStmt, inserted: readonly Node[] = []): Appended {
  const after = columnAs(imageColumns.after, imageOf(referenceOf(insert.relation ?? {})));
  const columns = [columnAs(imageColumns.before, nullText()), after, ...inserted];
  const returningClause = returningAlso(insert.returningClause, columns);
  const givesRows = insert.returningClause !== undefined;
  return { tree: { InsertStmt: { ...insert, returningClause } }, columns, givesRows };
}

/** A delete returns what it deletes, and `more`. */
export function deleteWithImages(statement: DeleteStmt, more: readonly Node[]): Appended {
  const before = columnAs(imageColumns.before, imageOf(referenceOf(statement.relation ?? {})));
  const columns = [before, columnAs(imageColumns.after, nullText()), ...more];
  const returningClause = returningAlso(statement.returningClause, columns);
  const givesRows = statement.returningClause !== undefined;
  return { tree: { DeleteStmt: { ...statement, returningClause } }, columns, givesRows };
}

/** It returns `more`, too. Throws AT_UNSUPPORTED_SQL for a `returning *` that cannot be spelled out. */
export function updateWithImages(
  update: UpdateStmt,
  facts: TableFacts,
  more: readonly Node[],
): Node {
  const { relation = {}, fromClause = [], withClause, returningClause } = update;
  const reference = referenceOf(relation);
  const keys = facts.key.map(({ name }, index) => ({ name, own: `settle_key_${index + 1}` }));
  const expression: Node = {
    CommonTableExpr: {
      ctename: rows,
      ctematerialized: 'CTEMaterializeAlways',
      ctequery: lockingSelect({
        targets: [
          ...keys.map(({ name, own }) => columnAs(own, column(reference, name))),
          columnAs(rowColumn, plainImageOf(reference, facts)),
        ],
        from: [{ RangeVar: relation }, ...fromClause],
        where: update.whereClause,
        reference,
        key: keys.map(({ name }) => name),
      }),
    },
  };
  const sameKey = keys.map(({ name, own }) => equal(column(reference, name), column(rows, own)));
  const images = [
    columnAs(imageColumns.before, column(rows, rowColumn)),
    columnAs(imageColumns.after, plainImageOf(reference, facts)),
    ...more,
  ];
  const exprs = (returningClause?.exprs ?? []).flatMap((target) =>
    isStar(target) ? [allColumns(reference), ...fromClause.flatMap(starsOf)].map(asTarget) : target,
  );
  return {
    UpdateStmt: {
      ...update,
      withClause: { ...withClause, ctes: [...(withClause?.ctes ?? []), expression] },
      fromClause: [...fromClause, tableNode(rows)],
      whereClause: allOf(keptCondition(update), sameKey),
      returningClause: returningAlso({ ...returningClause, exprs }, images),
    },
  };
}

/** What says the same whenever it is asked of one version of a row. */
const plain: ReadonlySet<string> = new Set([
  'A_Const',
  'A_Expr',
  'A_ArrayExpr',
  'BoolExpr',
  'BooleanTest',
  'ColumnRef',
  'List',
  'NullTest',
  'ParamRef',
  'String',
  'TypeCast',
]);

/**
 * The rows are chosen and locked by then, so their condition need not be asked again. With `from`
 * it has to be, for it says which rows belong together; a plain one helps the planner. Others are
 * dropped: `id = (select … limit 1)` asked a second time may choose another row.
 */
function keptCondition({ whereClause, fromClause }: UpdateStmt): Node | undefined {
  if (whereClause === undefined || fromClause !== undefined) return whereClause;
  for (const { key } of entriesOf(whereClause)) {
    if (/^[A-Z]/.test(key) && !plain.has(key)) return undefined;
  }
  return whereClause;
}

function isStar(target: Node): boolean {
  if (!('ResTarget' in target)) return false;
  const { val } = target.ResTarget;
  if (val === undefined || !('ColumnRef' in val)) return false;
  const [first] = val.ColumnRef.fields ?? [];
  return first !== undefined && 'A_Star' in first;
}

function asTarget(value: Node): Node {
  return { ResTarget: { val: value } };
}

/** `item.*` for each item of `from`, in the order in which `*` gives them. */
function starsOf(item: Node): readonly Node[] {
  if ('JoinExpr' in item) {
    const { larg, rarg, alias, usingClause, isNatural } = item.JoinExpr;
    if (alias?.aliasname !== undefined) return [allColumns(alias.aliasname)];
    if (usingClause !== undefined || isNatural === true) throw starOverJoin();
    return [larg, rarg].flatMap((side) => (side === undefined ? [] : starsOf(side)));
  }
  if ('RangeVar' in item) return [allColumns(referenceOf(item.RangeVar))];
  const alias = aliasOf(item);
  if (alias === undefined) throw starOverJoin();
  return [allColumns(alias)];
}

function aliasOf(item: Node): string | undefined {
  if ('RangeSubselect' in item) return item.RangeSubselect.alias?.aliasname;
  if ('RangeFunction' in item) return item.RangeFunction.alias?.aliasname;
  return undefined;
}

function starOverJoin() {
  return unsupported(
    '`returning *` over a join by column names, or over something without an alias',
    'name the columns to return',
  );
}
