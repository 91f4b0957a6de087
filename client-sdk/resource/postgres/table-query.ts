/**
 * What PostgreSQL's catalogue says of one table, in one query. Nothing is judged here; that is for
 * `table-facts.ts`. Names and types come qualified whatever the session's search path, because
 * facts are kept for sessions with other paths, too.
 */
import type { Session, TableName } from '../facts.ts';

/** A column, dropped ones left out; in the order of the table. */
export interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly isGenerated: boolean;
  readonly isAlwaysIdentity: boolean;
  /** Is xml, or has xml inside. */
  readonly hasXml: boolean;
}

/** A column of the primary key. `base`: its type, or that below its domains. */
export interface KeyRow {
  readonly name: string;
  readonly type: string;
  readonly base: string;
  readonly isEnum: boolean;
  /** Of the type itself; false for citext and other guests. */
  readonly isBuiltIn: boolean;
  readonly hasLength: boolean;
  readonly isDeterministic: boolean;
}

/** A trigger that fires in this session. `columns`: of `update of`, else empty. */
export interface TriggerRow {
  readonly name: string;
  readonly type: number;
  readonly columns: readonly string[];
  readonly definition: TriggerDefinition;
}

/** What a trigger does, and under which settings (`name=value`). */
export interface TriggerDefinition {
  /** Schema and name, quoted. */
  readonly function: string;
  readonly body: string;
  readonly language: string;
  readonly settings: readonly string[];
  readonly isDefiner: boolean;
  /** No condition, no arguments, no constraint: each time, at once. */
  readonly isPlain: boolean;
}

/** A foreign key of another table, or of this one, that changes rows when this table changes. */
export interface CascadeRow {
  readonly name: string;
  /** The table whose rows change: schema and name, quoted. */
  readonly table: string;
  readonly onDelete: string;
  readonly onUpdate: string;
  /** Rows of that table may be there and not be seen. */
  readonly isHidden: boolean;
  readonly columns: readonly { readonly own: string; readonly theirs: string }[];
}

/** A volatile function of the user's in a default (then `column`), a check or a domain. */
export interface FunctionRow {
  readonly name: string;
  readonly column: string | null;
}

/** One table, or what has the name of one. */
export interface TableRow {
  readonly id: string;
  readonly schema: string;
  readonly name: string;
  /** `pg_class.relkind` and `relpersistence`. */
  readonly kind: string;
  readonly persistence: string;
  readonly isPartition: boolean;
  readonly isInherited: boolean;
  readonly hasRowSecurity: boolean;
  readonly encoding: string;
  /** Whether the database pairs the cases of ASCII letters as ASCII does (Turkish does not). */
  readonly hasPlainCases: boolean;
  /** Tables called settle_undo, in any schema. */
  readonly undoTables: number;
  /** Where that is, quoted; with several, one of them. `public` when there is none. */
  readonly undoSchema: string;
  readonly isKeyImmediate: boolean;
  readonly rules: readonly string[];
  readonly columns: readonly ColumnRow[];
  readonly key: readonly KeyRow[];
  readonly triggers: readonly TriggerRow[];
  readonly cascades: readonly CascadeRow[];
  readonly functions: readonly FunctionRow[];
}

/** What stands under this name for this session; null: nothing does. */
export async function readTable(session: Session, table: TableName): Promise<TableRow | null> {
  const { rows } = await session.query(query, [table.schema, table.name]);
  const text = rows[0]?.['described'];
  // A parse boundary: the shape is that of the query below.
  return typeof text === 'string' ? (JSON.parse(text) as TableRow) : null;
}

/**
 * Whether the function `p` is the user's own and declared volatile. Those of two extensions are
 * volatile because they give random values, and write nothing.
 */
export const isUsersVolatile = `p.provolatile = 'v' and p.oid >= 16384 and not exists (
  select from pg_catalog.pg_depend e join pg_catalog.pg_extension x on x.oid = e.refobjid
  where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e'
    and e.refclassid = 'pg_catalog.pg_extension'::regclass
    and x.extname in ('uuid-ossp', 'pgcrypto'))`;

/** A json array, empty rather than NULL. */
function list(element: string, rest: string, order: string): string {
  return `coalesce((select json_agg(${element} order by ${order}) ${rest}), '[]'::json)`;
}

/** Schema and name of what has these two columns. */
function qualified(schema: string, name: string): string {
  return `quote_ident(${schema}) || '.' || quote_ident(${name})`;
}

// `format_type` qualifies by the search path, so it is asked for built-in types only; and it is
// what knows how those are written (`timestamp(3) with time zone`, `bpchar`, `"bit"`).
const typeText = `(select case tn.nspname
    when 'pg_catalog' then format_type(a.atttypid, a.atttypmod)
    else ${qualified('tn.nspname', 'coalesce(e.typname, t.typname)')}
      || case when e.oid is null then '' else '[]' end end
  from pg_catalog.pg_type t
  left join pg_catalog.pg_type e on t.typcategory = 'A' and t.typtype = 'b' and e.oid = t.typelem
  join pg_catalog.pg_namespace tn on tn.oid = coalesce(e.typnamespace, t.typnamespace)
  where t.oid = a.atttypid)`;

const hasXml = `(with recursive inside (oid) as (
    select a.atttypid
    union select part.oid from inside join pg_catalog.pg_type t on t.oid = inside.oid
      cross join lateral (
        select t.typbasetype as oid where t.typtype = 'd'
        union all select t.typelem where t.typcategory = 'A'
        union all select member.atttypid from pg_catalog.pg_attribute member
          where t.typrelid <> 0 and member.attrelid = t.typrelid
            and member.attnum > 0 and not member.attisdropped) part
  ) select exists (select from inside where oid = 'pg_catalog.xml'::regtype))`;

const columns = list(
  `json_build_object('name', a.attname, 'type', ${typeText}, 'hasXml', ${hasXml},
    'isGenerated', a.attgenerated <> '', 'isAlwaysIdentity', a.attidentity = 'a')`,
  `from pg_catalog.pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped`,
  'a.attnum',
);

const key = list(
  `json_build_object('name', a.attname, 'type', ${typeText}, 'base', base.typname,
    'isEnum', base.typtype = 'e', 'isBuiltIn', base.oid < 16384, 'hasLength', a.atttypmod > 0,
    'isDeterministic', not exists (select from pg_catalog.pg_collation l
      where l.oid in (a.attcollation, i.indcollation[k.place - 1]) and not l.collisdeterministic))`,
  `from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as k (attnum, place)
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
    cross join lateral (
      with recursive chain as (
        select t.* from pg_catalog.pg_type t where t.oid = a.atttypid
        union all select b.* from chain join pg_catalog.pg_type b
          on chain.typtype = 'd' and b.oid = chain.typbasetype)
      select chain.oid, chain.typname, chain.typtype from chain where chain.typtype <> 'd') base`,
  'k.place',
);

function namesOf(table: string, numbers: string): string {
  return list(
    'n.attname',
    `from unnest(${numbers}) with ordinality as k (attnum, place)
      join pg_catalog.pg_attribute n on n.attrelid = ${table} and n.attnum = k.attnum`,
    'k.place',
  );
}

const definition = `json_build_object('function', ${qualified('pn.nspname', 'p.proname')},
    'body', p.prosrc, 'language', l.lanname, 'settings', coalesce(p.proconfig, '{}'),
    'isDefiner', p.prosecdef,
    'isPlain', t.tgqual is null and t.tgnargs = 0 and t.tgconstraint = 0)`;

const triggers = list(
  `json_build_object('name', t.tgname, 'type', t.tgtype,
    'columns', ${namesOf('c.oid', 't.tgattr')}, 'definition', ${definition})`,
  `from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
    where t.tgrelid = c.oid and not t.tgisinternal
    and (t.tgenabled = 'A' or t.tgenabled =
      case current_setting('session_replication_role') when 'replica' then 'R' else 'O' end)`,
  't.tgname',
);

const cascades = list(
  `json_build_object('name', f.conname, 'onDelete', f.confdeltype, 'onUpdate', f.confupdtype,
    'table', ${qualified('fn.nspname', 'ft.relname')},
    'isHidden', row_security_active(ft.oid),
    'columns', ${list(
      `json_build_object('own', own.attname, 'theirs', theirs.attname)`,
      `from unnest(f.confkey, f.conkey) with ordinality as k (own, theirs, place)
        join pg_catalog.pg_attribute own on own.attrelid = f.confrelid and own.attnum = k.own
        join pg_catalog.pg_attribute theirs
          on theirs.attrelid = f.conrelid and theirs.attnum = k.theirs`,
      'k.place',
    )})`,
  `from pg_catalog.pg_constraint f
    join pg_catalog.pg_class ft on ft.oid = f.conrelid
    join pg_catalog.pg_namespace fn on fn.oid = ft.relnamespace
    where f.confrelid = c.oid and f.contype = 'f'
      and (f.confdeltype in ('c', 'n', 'd') or f.confupdtype in ('c', 'n', 'd'))`,
  'f.conname',
);

const columnTypes = `select typed.atttypid from pg_catalog.pg_attribute typed
  where typed.attrelid = c.oid and typed.attnum > 0`;

const functions = list(
  `json_build_object('name', p.proname, 'column', a.attname)`,
  `from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.refobjid and ${isUsersVolatile}
    left join pg_catalog.pg_attrdef f
      on d.classid = 'pg_catalog.pg_attrdef'::regclass and f.oid = d.objid
    left join pg_catalog.pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
    where d.refclassid = 'pg_catalog.pg_proc'::regclass and (f.adrelid = c.oid
      or d.classid = 'pg_catalog.pg_constraint'::regclass and d.objid in (
        select k.oid from pg_catalog.pg_constraint k
          where k.contype = 'c' and (k.conrelid = c.oid or k.contypid in (${columnTypes})))
      or d.classid = 'pg_catalog.pg_type'::regclass and d.objid in (${columnTypes}))`,
  'p.proname, a.attname',
);

const rules = list(
  'r.rulename',
  `from pg_catalog.pg_rewrite r where r.ev_class = c.oid and r.rulename <> '_RETURN'`,
  'r.rulename',
);

const query = `select json_build_object(
    'id', ${qualified('s.nspname', 'c.relname')}, 'schema', s.nspname, 'name', c.relname,
    'kind', c.relkind, 'persistence', c.relpersistence, 'isPartition', c.relispartition,
    'isInherited', exists (select from pg_catalog.pg_inherits h
      where c.oid in (h.inhparent, h.inhrelid)),
    'hasRowSecurity', row_security_active(c.oid),
    'encoding', current_setting('server_encoding'),
    'hasPlainCases', lower('ABCDEFGHIJKLMNOPQRSTUVWXYZ' collate "default")
      = 'abcdefghijklmnopqrstuvwxyz',
    'undoTables', (select count(*) from pg_catalog.pg_class u
      where u.relname = 'settle_undo' and u.relkind = 'r'),
    'undoSchema', coalesce((select quote_ident(n.nspname) from pg_catalog.pg_class u
      join pg_catalog.pg_namespace n on n.oid = u.relnamespace
      where u.relname = 'settle_undo' and u.relkind = 'r' order by 1 limit 1), 'public'),
    'isKeyImmediate', coalesce(i.indimmediate, true),
    'rules', ${rules}, 'columns', ${columns}, 'key', ${key}, 'triggers', ${triggers},
    'cascades', ${cascades}, 'functions', ${functions})::text as described
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace s on s.oid = c.relnamespace
  left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary and i.indisvalid
  where c.oid = to_regclass(
    case when $1::text is null then '' else quote_ident($1) || '.' end || quote_ident($2::text))`;
