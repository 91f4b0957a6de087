/**
 * The guard of a table on MySQL and MariaDB: three triggers as texts, and how it is told that those
 * of a table are these. Guards: the row key is made of the expressions that images are made of; a
 * trigger that differs in anything is a stranger's.
 *
 * It looks after the change. By then the row's lock is held, so whoever changed the row through
 * Settle has committed, and his undo row with it. A plain select would not show that under REPEATABLE
 * READ, and a locking one would lock the gap that all other undo rows go into, until its transaction
 * ends. So it inserts a row that can never be: its undo_id is taken for ever. Either the lock's own
 * place is taken, too, and the primary key says so first; or undo_id does, and InnoDB takes back what
 * it has inserted. 20 us a row, as many as the locking select.
 */
import type { Column, KeyColumn } from '../facts.ts';
import { digestOf } from '../guard.ts';
import { keyTexts } from './image-columns.ts';
import { quoted } from './names.ts';
import type { TriggerRow } from './table-query.ts';

/** What a guard is made from. */
export interface GuardedTable {
  readonly id: string;
  readonly schema: string;
  readonly columns: readonly Column[];
  readonly key: readonly KeyColumn[];
  /** The database of settle_undo; not quoted. */
  readonly undoSchema: string;
}

/**
 * Lets statements of this session write to guarded tables, until {@link closeGuards}. Copied into
 * another session it is worth nothing.
 */
export const passGuards = 'set @settle_writer = connection_id()';

/** As a part of `set`. */
export const closeGuards = '@settle_writer = null';

const passes = '@settle_writer <=> connection_id()';

const events = ['insert', 'update', 'delete'] as const;
type Event = (typeof events)[number];

/** Triggers have names of their own in a database, whichever table they are on. */
function nameOf(id: string, event: Event): string {
  return `settle_guard_${event}_${digestOf(id)}`;
}

/** Whether it has the name of a guard, of this table or of one that it was. */
export function isNamedGuard({ name }: Pick<TriggerRow, 'name'>): boolean {
  return /^settle_guard_(insert|update|delete)_[0-9a-f]{16}$/.test(name);
}

/** Whether it is what this version makes for the table as it is. */
export function isGuard(trigger: TriggerRow, table: GuardedTable): boolean {
  const event = events.find((each) => trigger.name === nameOf(table.id, each));
  if (event === undefined) return false;
  return (
    trigger.event.toLowerCase() === event &&
    trigger.timing.toLowerCase() === 'after' &&
    trigger.sqlMode === '' &&
    trigger.body === bodyFor(table, event)
  );
}

/** What there is to run, on a connection of its own, so that the table has its guard. */
export function creation(table: GuardedTable): readonly string[] {
  return [
    'set names utf8mb4',
    // Triggers keep it. A text that is too long is shortened then, and the error still told.
    `set session sql_mode = ''`,
    `insert ignore into ${undoOf(table)} (table_name, row_key, step, gid, branch_id, position,
  undo_id, created_at_ms) values ('', '', 0, '', 0, 0, ${takenForEver}, 0)`,
    ...events.map(
      (event) =>
        `create trigger ${quoted(table.schema)}.${nameOf(table.id, event)} after ${event}\n` +
        `  on ${table.id} for each row ${bodyFor(table, event)}`,
    ),
  ];
}

/** What there is to run so that triggers of these names are gone. */
export function removal(schema: string, triggers: readonly TriggerRow[]): readonly string[] {
  return triggers
    .filter(isNamedGuard)
    .map(({ name }) => `drop trigger if exists ${quoted(schema)}.${name}`);
}

function undoOf({ undoSchema }: GuardedTable): string {
  return `${quoted(undoSchema)}.settle_undo`;
}

/** Numbers of the database's own begin at 1. */
const takenForEver = -1;

/**
 * The body, for the table as it is now. The server names the key that is taken in words of the
 * session's language, so only the name of the key is looked for; `-1` is all that the message holds
 * besides when it is undo_id, so nothing else can say PRIMARY.
 */
function bodyFor(table: GuardedTable, event: Event): string {
  const undo = undoOf(table);
  const id = literal(table.id);
  const first = keyOf(table, event === 'insert' ? 'new' : 'old');
  const second = event === 'update' ? keyOf(table, 'new') : 'null';
  return `begin
  declare settle_at longtext character set ascii collate ascii_bin default ${first};
  declare settle_next longtext character set ascii collate ascii_bin default ${second};
  declare settle_taken text character set utf8mb4;
  declare settle_holder varchar(64) character set ascii;
  declare settle_text varchar(512) character set utf8mb4;
  if not (${passes}) then
    while settle_at is not null do
      set settle_taken = 'settle_undo_id''';
      if octet_length(settle_at) <= 512 then
        set settle_taken = '';
        begin
          declare continue handler for 1062
            get diagnostics condition 1 settle_taken = message_text;
          insert into ${undo} (table_name, row_key, step, gid, branch_id, position, undo_id,
            created_at_ms) values (${id}, settle_at, 0, '', 0, 0, ${takenForEver}, 0);
        end;
      end if;
      if instr(settle_taken, 'PRIMARY''') > 0 then
        select u.gid into settle_holder from ${undo} u
          where u.table_name = ${id} and u.row_key = settle_at and u.step = 0
          lock in share mode;
        set settle_text = concat('locked by ', ifnull(settle_holder, '?'),
          ', see npm run settle -- tx show: ', settle_at, ' of ', ${id},
          '; or work in settle.globalLock');
        signal sqlstate 'HY000' set mysql_errno = 1205, message_text = settle_text;
      end if;
      if instr(settle_taken, 'settle_undo_id''') = 0 then
        signal sqlstate 'HY000' set mysql_errno = 1205,
          message_text = 'the guard of Settle is not whole: run settle migrate --guard again';
      end if;
      set settle_at = nullif(settle_next, settle_at);
      set settle_next = null;
    end while;
  end if;
end`;
}

/** The text that `rowKey` makes of the image of this row: none of its parts wants an escape. */
function keyOf(table: GuardedTable, which: 'new' | 'old'): string {
  return `concat('["', ${keyTexts(table, which).join(`, '","', `)}, '"]')`;
}

/** Of printable ASCII without a quote or a backslash. Without a character set: triggers lose it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: all but them is meant.
const plain = /^[^\x00-\x1f'\\\x7f-\uffff]+$/;

function literal(text: string): string {
  if (plain.test(text)) return `'${text}'`;
  return `convert(x'${Buffer.from(text).toString('hex')}' using utf8mb4)`;
}
