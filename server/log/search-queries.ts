/**
 * The statements of searches, in the SQL of each dialect: a stretch of a walk along an index of the
 * finished transactions (see walks.ts), and a page of the open ones. Compiled by Kysely, run by the
 * store on its own connections. Invariant: which index a walk takes is not left to the optimizer; one
 * that thinks a name is rare would read a million rows of one that is not, and sort them.
 */
import { type CompiledQuery, type RawBuilder, sql } from 'kysely';
import { labelText, mergedPages, placeOf, type SearchFilter, type SearchPage } from './log.ts';
import { compiling, type IndexRowStored, indexRowOf, type SearchDialect } from './log-queries.ts';
import { indexColumnNames } from './server-log.ts';
import { searchFinished, type WalkFound, type WalkName, type WalkStep } from './walks.ts';

/** A row of a stretch: one that fits, or (`is_end`) the place of its last entry, without the rest. */
export type WalkedRow = IndexRowStored & { readonly is_end: number };

/** The statements for one dialect. */
export interface SearchQueries {
  /** Index entries, one after the other, each looked up by primary key. */
  walk(step: WalkStep): CompiledQuery<WalkedRow>;
  /** See {@link Walker}. MySQL has none, and a whole one costs every transaction some 5 %. */
  readonly hasPartial: boolean;
  /** A page of the open ones: all of them are looked through, by primary key; they are few. */
  open(filter: SearchFilter): CompiledQuery<IndexRowStored>;
}

/** Runs a statement of {@link SearchQueries}. Throws when the store is away. */
export type RunSearch = <Row>(query: CompiledQuery<Row>) => Promise<readonly Row[]>;

/** One page, by the statements of the dialect. Throws when the store is away. */
export async function searchBy(
  queries: SearchQueries,
  run: RunSearch,
  filter: SearchFilter,
): Promise<SearchPage> {
  const { outcome, order = 'newest', limit } = filter;
  const pages: SearchPage[] = [];
  // What ends between the two is seen twice, and not left out: it leaves the open ones at its end.
  if (outcome === undefined || outcome === 'open') {
    const rows = (await run(queries.open(filter))).map(indexRowOf);
    const last = rows.length < limit ? undefined : rows.at(-1);
    pages.push({ rows, next: last === undefined ? null : placeOf(last) });
  }
  if (outcome !== 'open') {
    const walk = async (step: WalkStep) => foundIn(await run(queries.walk(step)));
    const { hasPartial } = queries;
    pages.unshift(
      await searchFinished(filter, { walk, hasPartial, nowMs: () => performance.now() }),
    );
  }
  return mergedPages(order, limit, pages);
}

function foundIn(rows: readonly WalkedRow[]): WalkFound {
  const end = rows.find(({ is_end }) => Number(is_end) === 1);
  return {
    rows: rows.filter(({ is_end }) => Number(is_end) === 0).map(indexRowOf),
    end: end === undefined ? null : { startedAtMs: Number(end.started_at_ms), gid: end.gid },
  };
}

/** The queries in the dialect of the store. */
export function searchQueries(dialect: SearchDialect): SearchQueries {
  const db = compiling<Record<string, never>>(dialect);
  return {
    hasPartial: dialect !== 'mysql',
    walk: (step) => walkStatement(dialect, step).compile(db),
    open: (filter) => openStatement(filter).compile(db),
  };
}

type Sql = RawBuilder<unknown>;

/**
 * Two arms: what fits among the entries, and the last entry if there are that many. In one statement,
 * so that both see the same entries; the second touches the index alone. An exact walk needs no
 * second.
 */
function walkStatement(dialect: SearchDialect, step: WalkStep): RawBuilder<WalkedRow> {
  const { walk, filter, entriesMax, isExact } = step;
  const { label, ...unlabelled } = filter;
  const rest = [...restOf(walk === 'label' ? unlabelled : filter)];
  if (walk === 'gid') rest.push(...rangeOf('t', filter));
  const found = sql<WalkedRow>`
    select ${columns('t')}, 0 as is_end
    from ${lookedAt(dialect, { ...step, entriesMax: isExact ? filter.limit : entriesMax })}
    where ${all(rest)}
    order by ${sorted(looksUp(dialect, walk) ? 'e' : 't', filter)} limit ${sql.lit(filter.limit)}`;
  if (isExact) return found;
  return sql<WalkedRow>`
    select * from (${found}) found
    union all
    select last.gid, null, null, null, null, null, null, last.started_at_ms, null, null, null, 1
    from (${entriesOf(dialect, step, ['gid', 'started_at_ms'])}
      limit 1 offset ${sql.lit(entriesMax - 1)}) last`;
}

/** Whether the rows of the entries (`e`) are looked up, each by its key. */
function looksUp(dialect: SearchDialect, walk: WalkName): boolean {
  return dialect === 'mysql' || walk === 'label';
}

/**
 * The rows of the entries. PostgreSQL and SQLite come from an entry to its row as they walk; MySQL
 * would first copy the whole rows, and in the index of labels there are none, so these look each up.
 */
function lookedAt(dialect: SearchDialect, step: WalkStep): Sql {
  const limit = sql`limit ${sql.lit(step.entriesMax)}`;
  if (!looksUp(dialect, step.walk)) {
    return sql`(${entriesOf(dialect, step, indexColumnNames)} ${limit}) t`;
  }
  return sql`(${entriesOf(dialect, step, ['gid', 'started_at_ms'])} ${limit}) e
    ${sql.raw(inOrder[dialect])} global_transaction t on t.gid = e.gid`;
}

/** A join that takes the entries first; PostgreSQL has no such word and no reason to do otherwise. */
const inOrder = { postgres: 'join', mysql: 'straight_join', sqlite: 'cross join' } as const;

/** Index entries in the order of the list; those of `gid` in their own. */
function entriesOf(
  dialect: SearchDialect,
  { walk, filter }: WalkStep,
  names: readonly string[],
): Sql {
  const table = sql.raw(tableOf(dialect, walk));
  const picked = sql.join(names.map((name) => sql.ref(`w.${name}`)));
  if (walk === 'gid') {
    const range = all(prefixOf('w', filter));
    return sql`select ${picked} from ${table} where ${range} order by w.gid`;
  }
  const range = all([...conditionOf(dialect, walk, filter), ...rangeOf('w', filter)]);
  return sql`select ${picked} from ${table} where ${range} order by ${sorted('w', filter)}`;
}

/** Names of the indexes; null: that of the primary key. */
const indexes: Readonly<Record<WalkName, Readonly<Record<'mysql' | 'sqlite', string | null>>>> = {
  attention: both('global_transaction_attention'),
  label: { mysql: 'primary', sqlite: null },
  gid: { mysql: 'primary', sqlite: null },
  rolledBackName: both('global_transaction_rolled_back_name'),
  rolledBackSaga: both('global_transaction_rolled_back_saga'),
  rolledBack: { mysql: 'global_transaction_outcome', sqlite: 'global_transaction_rolled_back' },
  name: both('global_transaction_name'),
  saga: both('global_transaction_saga'),
  newest: both('global_transaction_newest'),
};

function both(name: string) {
  return { mysql: name, sqlite: name };
}

/** PostgreSQL takes no hints: the settings of the connection leave it nothing but the sorted index. */
function tableOf(dialect: SearchDialect, walk: WalkName): string {
  const table = walk === 'label' ? 'transaction_label w' : 'global_transaction w';
  if (dialect === 'postgres') return table;
  const index = indexes[walk][dialect];
  if (index === null) return table;
  return dialect === 'mysql' ? `${table} force index (${index})` : `${table} indexed by ${index}`;
}

/** What makes the entries of the walk. Literals, for partial indexes are found by nothing else. */
function conditionOf(
  dialect: SearchDialect,
  walk: Exclude<WalkName, 'gid'>,
  { name, label }: SearchFilter,
): readonly Sql[] {
  switch (walk) {
    case 'attention':
      // MySQL has no partial index, so its table keeps the question as a column.
      return [dialect === 'mysql' ? sql`w.needs_attention = 1` : sql`w.attention is not null`];
    case 'label':
      return label === undefined ? [] : [sql`w.label = ${labelText(label.key, label.value)}`];
    case 'rolledBackName':
      return [sql`w.outcome = 'rolledBack'`, sql`w.name = ${name}`];
    case 'rolledBackSaga':
      return [sql`w.outcome = 'rolledBack'`, sql`w.mode = 'saga'`];
    case 'rolledBack':
      return [sql`w.outcome = 'rolledBack'`];
    case 'name':
      return [sql`w.name = ${name}`];
    case 'saga':
      return [sql`w.mode = 'saga'`];
    case 'newest':
      return [];
    default:
      return walk satisfies never;
  }
}

/** Where a page may look: after the page before, and in the time that was asked for. */
function rangeOf(table: 'w' | 't', filter: SearchFilter): readonly Sql[] {
  const { before, startedAfterMs, startedBeforeMs, order } = filter;
  const [at, gid] = [sql.ref(`${table}.started_at_ms`), sql.ref(`${table}.gid`)];
  const range: Sql[] = [];
  if (startedAfterMs !== undefined) range.push(sql`${at} >= ${startedAfterMs}`);
  if (startedBeforeMs !== undefined) range.push(sql`${at} < ${startedBeforeMs}`);
  if (before === undefined) return range;
  const beyond = sql.raw(order === 'oldest' ? '>' : '<');
  const { startedAtMs } = before;
  // Not a row comparison: MySQL makes no index range of one.
  range.push(sql`${at} ${beyond}= ${startedAtMs}`);
  range.push(sql`(${at} ${beyond} ${startedAtMs} or ${gid} ${beyond} ${before.gid})`);
  return range;
}

/** The whole filter, but for time and page. */
function restOf(filter: SearchFilter): readonly Sql[] {
  const { mode, name, outcome, attention, label } = filter;
  const rest: Sql[] = [...prefixOf('t', filter)];
  if (mode !== undefined) rest.push(sql`t.mode = ${mode}`);
  if (name !== undefined) rest.push(sql`t.name = ${name}`);
  if (outcome === 'committed' || outcome === 'rolledBack') rest.push(sql`t.outcome = ${outcome}`);
  if (attention === true) rest.push(sql`t.attention is not null`);
  if (label !== undefined) {
    // One look-up for each row. Of an `exists` the optimizer may make a join that begins with all that
    // have the label, or a table of them in memory (measured: six seconds for a million).
    const text = labelText(label.key, label.value);
    rest.push(sql`(select 1 from transaction_label l where l.label = ${text}
      and l.started_at_ms = t.started_at_ms and l.gid = t.gid) = 1`);
  }
  return rest;
}

/** Gids are ASCII and sorted byte by byte, so those with a beginning are a range. */
function prefixOf(table: 'w' | 't', { gidPrefix = '' }: SearchFilter): readonly Sql[] {
  if (gidPrefix === '') return [];
  const gid = sql.ref(`${table}.gid`);
  const after = String.fromCharCode(gidPrefix.charCodeAt(gidPrefix.length - 1) + 1);
  return [sql`${gid} >= ${gidPrefix}`, sql`${gid} < ${gidPrefix.slice(0, -1) + after}`];
}

function openStatement(filter: SearchFilter): RawBuilder<IndexRowStored> {
  // All of them, by their key: the table is swept over so often that most of its pages may be empty.
  const wanted = [sql`t.gid > ''`, ...restOf(filter), ...rangeOf('t', filter)];
  return sql<IndexRowStored>`select ${columns('t')} from open_transaction t
    where ${all(wanted)}
    order by ${sorted('t', filter)} limit ${sql.lit(filter.limit)}`;
}

function columns(table: string): Sql {
  return sql.join(indexColumnNames.map((name) => sql.ref(`${table}.${name}`)));
}

function sorted(table: string, { order }: SearchFilter): Sql {
  const direction = order === 'oldest' ? 'asc' : 'desc';
  return sql.raw(`${table}.started_at_ms ${direction}, ${table}.gid ${direction}`);
}

function all(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? sql`1 = 1` : sql.join(conditions, sql` and `);
}
