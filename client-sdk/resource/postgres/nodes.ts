/** Pieces of syntax trees, spelled as the parser itself spells them. */
import type { Node, RangeVar, ReturningClause } from '@pgsql/types';
import type { TableFacts } from '../facts.ts';

/** The function of our migration that writes a row down under settings of its own. */
const imageFunction = 'settle_image';

/** The function of our migration that looks for undo rows. */
const lookFunction = 'settle_is_held_now';

/** How a statement's expressions name a table: by its alias, or by its name. */
export function referenceOf(table: RangeVar): string {
  return table.alias?.aliasname ?? table.relname ?? '';
}

/** `settle_image(reference.*)`: with the star it is the row, even if a column has the same name. */
export function imageOf(reference: string): Node {
  return {
    FuncCall: {
      funcname: [identifier(imageFunction)],
      args: [allColumns(reference)],
      funcformat: 'COERCE_EXPLICIT_CALL',
    },
  };
}

/**
 * The same text without the function, for rows whose columns are written alike under all settings:
 * `case t.tableoid when 'shop.acct'::regclass then 'shop.acct' else … end || t.*::text`. The settings
 * of the function are 20 us of processor time in a statement. What is not known to be plain is not.
 */
export function plainImageOf(reference: string, { id, columns }: TableFacts): Node {
  const isPlain = plainText.test(id) && columns.every(({ type }) => isPlainType(type));
  if (!isPlain) return imageOf(reference);
  const tableId = column(reference, 'tableoid');
  const table: Node = {
    CaseExpr: {
      arg: tableId,
      args: [{ CaseWhen: { expr: castTo('regclass', textNode(id)), result: textNode(id) } }],
      defresult: castTo('text', castTo('regclass', tableId)),
    },
  };
  const row = castTo('text', allColumns(reference));
  return { A_Expr: { kind: 'AEXPR_OP', name: [identifier('||')], lexpr: table, rexpr: row } };
}

/**
 * `settle_is_held_now('shop.acct', $parameter::text)`: whether anybody has undo rows on the row of this
 * key, when it is asked. Null for a table whose name cannot be written down plainly.
 */
export function lookAt(id: string, parameter: number): Node | null {
  if (!plainText.test(id)) return null;
  const key = castTo('text', { ParamRef: { number: parameter } });
  return {
    FuncCall: {
      funcname: [identifier(lookFunction)],
      args: [textNode(id), key],
      funcformat: 'COERCE_EXPLICIT_CALL',
    },
  };
}

/** Reads the same whatever a backslash means to the session. */
const plainText = /^[\x20-\x5b\x5d-\x7e]+$/;

/** Without domains, dates and times, floating point, bytes, money, arrays, enums, xml. */
const plainTypes = [
  /^(?:smallint|integer|bigint|boolean|uuid|text|jsonb?)$/,
  /^(?:numeric|character|character varying)(?:\([\d,-]+\))?$/,
] as const;

function isPlainType(type: string): boolean {
  return plainTypes.some((pattern) => pattern.test(type));
}

function textNode(text: string): Node {
  return { A_Const: { sval: { sval: text } } };
}

function castTo(type: string, arg: Node): Node {
  return { TypeCast: { arg, typeName: { names: [identifier(type)], typemod: -1 } } };
}

/** `table.column`. */
export function column(...names: readonly string[]): Node {
  return { ColumnRef: { fields: names.map(identifier) } };
}

/** `table.*`. */
export function allColumns(reference: string): Node {
  return { ColumnRef: { fields: [identifier(reference), { A_Star: {} }] } };
}

/** `value as name`, in a list of columns. */
export function columnAs(name: string, value: Node): Node {
  return { ResTarget: { name, val: value } };
}

/** `null::text`. */
export function nullText(): Node {
  return castTo('text', { A_Const: { isnull: true } });
}

/** `one = other`. */
export function equal(one: Node, other: Node): Node {
  return { A_Expr: { kind: 'AEXPR_OP', name: [identifier('=')], lexpr: one, rexpr: other } };
}

/** One list of `and`, as the parser flattens it. */
export function allOf(first: Node | undefined, more: readonly Node[]): Node {
  const isList = first !== undefined && 'BoolExpr' in first && first.BoolExpr.boolop === 'AND_EXPR';
  const start = isList ? (first.BoolExpr.args ?? []) : first === undefined ? [] : [first];
  const args = [...start, ...more];
  const [only] = args;
  if (args.length === 1 && only !== undefined) return only;
  return { BoolExpr: { boolop: 'AND_EXPR', args } };
}

/** A table in `from`, by its name alone. */
export function tableNode(name: string): Node {
  return { RangeVar: { relname: name, inh: true, relpersistence: 'p' } };
}

/** `(values …) as alias (columns)`, in `from`. */
export function valuesNode(
  alias: string,
  columns: readonly string[],
  rows: readonly (readonly Node[])[],
): Node {
  const valuesLists = rows.map((row): Node => ({ List: { items: [...row] } }));
  return {
    RangeSubselect: {
      subquery: {
        SelectStmt: { valuesLists, limitOption: 'LIMIT_OPTION_DEFAULT', op: 'SETOP_NONE' },
      },
      alias: { aliasname: alias, colnames: columns.map(identifier) },
    },
  };
}

/** What {@link lockingSelect} takes. */
export interface LockingSelect {
  readonly targets: readonly Node[];
  readonly from: readonly Node[];
  readonly where: Node | undefined;
  /** The table whose rows are locked, and its key. */
  readonly reference: string;
  readonly key: readonly string[];
}

/**
 * `select … from … where … order by key for no key update of table`. Locks as an update does that
 * leaves the key alone, so that inserts with a foreign key to the row go on; in the order of the
 * key, so that two statements on the same rows wait for each other and not in a circle.
 */
export function lockingSelect({ targets, from, where, reference, key }: LockingSelect): Node {
  return {
    SelectStmt: {
      targetList: [...targets],
      fromClause: [...from],
      ...(where === undefined ? {} : { whereClause: where }),
      sortClause: key.map((name): Node => {
        const node = column(reference, name);
        return {
          SortBy: { node, sortby_dir: 'SORTBY_DEFAULT', sortby_nulls: 'SORTBY_NULLS_DEFAULT' },
        };
      }),
      limitOption: 'LIMIT_OPTION_DEFAULT',
      lockingClause: [
        {
          LockingClause: {
            lockedRels: [tableNode(reference)],
            strength: 'LCS_FORNOKEYUPDATE',
            waitPolicy: 'LockWaitBlock',
          },
        },
      ],
      op: 'SETOP_NONE',
    },
  };
}

/** The user's `returning`, and ours behind it. */
export function returningAlso(
  clause: ReturningClause | undefined,
  columns: readonly Node[],
): ReturningClause {
  return { ...clause, exprs: [...(clause?.exprs ?? []), ...columns] };
}

function identifier(name: string): Node {
  return { String: { sval: name } };
}
