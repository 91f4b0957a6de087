/**
 * The guard of a table on PostgreSQL: a function and its two triggers, as texts, and how it is told
 * that those of a table are these. Guards: the row key is computed under settings of the function's
 * own, by the output functions that images are made with; a trigger that differs in anything is a
 * stranger's.
 *
 * It looks after the change. By then the row's lock is held, so whoever changed the row through
 * Settle has committed, and his undo row with it. At READ COMMITTED each statement of a volatile
 * function sees that. Under a snapshot of before it is asked for by inserting, for unique keys know
 * of rows that the snapshot does not show.
 */
import type { KeyColumn } from '../facts.ts';
import { digestOf } from '../guard.ts';
import type { TriggerRow } from './table-query.ts';

/** What a guard is made from. */
export interface GuardedTable {
  readonly id: string;
  readonly key: readonly KeyColumn[];
  /** Where settle_undo is; quoted. */
  readonly undoSchema: string;
}

const rowTrigger = 'settle_guard';
const truncateTrigger = 'settle_guard_truncate';

/** Of the function, as `pg_proc` keeps them; those of `settle_image` and what a lookup wants. */
const settings: readonly (readonly [string, string])[] = [
  ['search_path', 'pg_catalog, pg_temp'],
  ['TimeZone', 'UTC'],
  ['DateStyle', 'ISO, YMD'],
  ['IntervalStyle', 'postgres'],
  ['bytea_output', 'hex'],
  ['lc_monetary', 'C'],
  // A plan that was made while settle_undo was empty is kept, and used when it is not.
  ['enable_seqscan', 'off'],
];

/** After each row that is inserted, updated or deleted; before the statement that truncates. */
const types = { [rowTrigger]: 29, [truncateTrigger]: 34 } as const;

/**
 * Lets a local transaction of ours write to guarded tables until it ends, or goes back to a
 * savepoint of before. Its own number is no secret, and worth nothing in any other transaction.
 */
export const passGuards = `select set_config('settle.writer', pg_current_xact_id()::text, true)`;

const passes = `current_setting('settle.writer', true) = pg_current_xact_id_if_assigned()::text`;

/** Whether it has the name of a guard. */
export function isNamedGuard({ name }: TriggerRow): boolean {
  return Object.hasOwn(types, name);
}

/** Whether it is what this version makes for the table as it is. */
export function isGuard({ name, type, definition }: TriggerRow, table: GuardedTable): boolean {
  if (!(name === rowTrigger || name === truncateTrigger)) return false;
  const given = definition.settings.map((setting) => setting.toLowerCase()).sort();
  const own = settings.map((setting) => setting.join('=').toLowerCase()).sort();
  return (
    type === types[name] &&
    definition.isPlain &&
    definition.isDefiner &&
    definition.language === 'plpgsql' &&
    definition.body === bodyFor(table) &&
    given.length === own.length &&
    given.every((setting, index) => setting === own[index])
  );
}

/** What there is to run so that the table has its guard. */
export function creation(table: GuardedTable): readonly string[] {
  const body = bodyFor(table);
  const tag = tagFor(body);
  const set = settings.map(([name, value]) => `  set ${name} to ${asSetting(value)}\n`).join('');
  const own = functionOf(table);
  return [
    `create or replace function ${own}() returns trigger\n` +
      `  language plpgsql security definer\n${set}  as ${tag}${body}${tag}`,
    `create trigger ${rowTrigger} after insert or update or delete on ${table.id}
  for each row execute function ${own}()`,
    `create trigger ${truncateTrigger} before truncate on ${table.id}
  for each statement execute function ${own}()`,
  ];
}

/** What there is to run so that triggers of these names are gone, and their functions with them. */
export function removal(id: string, triggers: readonly TriggerRow[]): readonly string[] {
  const named = triggers.filter(isNamedGuard);
  // Of another name when the table has been renamed.
  const functions = new Set(named.map(({ definition }) => definition.function));
  const own = [...functions].filter((name) => /\.settle_guard_[0-9a-f]{16}$/.test(name));
  return [
    ...named.map(({ name }) => `drop trigger ${name} on ${id}`),
    ...own.map((name) => `drop function if exists ${name}()`),
  ];
}

function functionOf({ id, undoSchema }: GuardedTable): string {
  return `${undoSchema}.settle_guard_${digestOf(id)}`;
}

/** A list of names is no list any more in quotes. */
function asSetting(value: string): string {
  return value === 'pg_catalog, pg_temp' ? value : `'${value}'`;
}

/** No name can end the body. */
function tagFor(body: string): string {
  let tag = '$guard$';
  while (body.includes(tag)) tag = tag.replace(/\$$/, 'x$');
  return tag;
}

/** The body, for the table as it is now. Its texts mean the same in every session. */
function bodyFor({ id: name, key, undoSchema }: GuardedTable): string {
  const undo = `${undoSchema}.settle_undo`;
  const id = literal(name);
  return `
declare
  row_at text;
  moved_to text;
  holder text;
begin
  if ${passes} then return null; end if;
  if tg_op = 'TRUNCATE' then
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
      raise exception using errcode = '55P03', message = ${id}
        || ' is guarded by Settle, and is truncated at READ COMMITTED only';
    end if;
    select u.row_key, u.gid into row_at, holder from ${undo} u
      where u.table_name = ${id} and u.step = 0 limit 1;
  else
    if tg_op = 'INSERT' then row_at := ${keyOf(key, 'new')};
    else row_at := ${keyOf(key, 'old')}; end if;
    loop
      select u.gid into holder from ${undo} u
        where u.table_name = ${id} and u.row_key = row_at and u.step = 0;
      if holder is null and octet_length(row_at) <= 512
        and current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        insert into ${undo} (table_name, row_key, step, gid, branch_id, position, created_at_ms)
          values (${id}, row_at, 0, '', 0, 0, 0) on conflict do nothing;
        delete from ${undo} u
          where u.table_name = ${id} and u.row_key = row_at and u.step = 0 and u.gid = '';
      end if;
      exit when holder is not null or tg_op <> 'UPDATE';
      moved_to := ${keyOf(key, 'new')};
      exit when moved_to = row_at;
      row_at := moved_to;
    end loop;
  end if;
  if holder is not null then
    raise exception using errcode = '55P03',
      message = 'row ' || row_at || ' of ' || ${id} || ' is locked by the global transaction '
        || holder || ', which is not over',
      hint = 'Who that is: npm run settle -- tx show ' || holder
        || '. Try again when it is over, or write to such rows in settle.globalLock.';
  end if;
  return null;
end `;
}

/** The text that {@link rowKey} makes of the image of this row. */
function keyOf(key: readonly KeyColumn[], which: 'new' | 'old'): string {
  const texts = key.map(({ name, form }) => {
    // As the type's output function writes it, which is what an image is; a cast may say otherwise.
    const text = `concat(${which}."${name.replaceAll('"', '""')}")`;
    switch (form) {
      case 'text':
        return text;
      case 'number':
        return `(case when strpos(${text}, '.') > 0
          then rtrim(rtrim(${text}, '0'), '.') else ${text} end)`;
      // What is not ASCII has no lock.
      case 'lower':
        return `lower(${text} collate "C")`;
      case 'weight':
        throw new Error('PostgreSQL has no weights');
      default:
        return form satisfies never;
    }
  });
  return `'[' || ${texts.map((text) => `to_json(${text})::text`).join(` || ',' || `)} || ']'`;
}

/** Says the same whether the session takes backslashes for themselves or not. */
function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? `E${quoted}` : quoted;
}
