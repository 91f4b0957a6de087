/**
 * `settle_undo` as SQL, for examples, tests and programs that create their own schema. Production
 * runs `settle migrate --participant URL`; a test holds these texts equal to
 * `migrations/participant/`. Table names and keys compare byte by byte: they are locks.
 */
import type { Dialect } from './databases/kysely.ts';

const table = `create table if not exists settle_undo (
  table_name text collate "C" not null,
  row_key text collate "C" not null check (octet_length(row_key) <= 512),
  step integer not null,
  gid varchar(64) collate "C" not null,
  branch_id integer not null,
  position integer not null,
  undo_id bigint generated always as identity,
  before_image text,
  after_image text,
  created_at_ms bigint not null,
  primary key (table_name, row_key, step)
)`;

const index = 'create index if not exists settle_undo_gid on settle_undo (gid, undo_id)';

const image = `create or replace function settle_image(r anyelement) returns text
  language plpgsql stable strict
  set search_path to pg_catalog, pg_temp
  set timezone to 'UTC'
  set datestyle to 'ISO, YMD'
  set intervalstyle to 'postgres'
  set extra_float_digits to 1
  set bytea_output to 'hex'
  set lc_monetary to 'C'
  as $$ begin return pg_typeof(r)::text || r::text; end $$`;

const look = `create or replace function settle_is_held_now(of_table text, of_key text) returns boolean
  language plpgsql volatile strict
  set enable_seqscan to off
  as $$ begin return exists (
    select from settle_undo where table_name = of_table and row_key = of_key); end $$`;

const mysqlTable = `create table if not exists settle_undo (
  table_name varchar(261) character set utf8mb4 collate utf8mb4_bin not null,
  row_key varchar(512) character set ascii collate ascii_bin not null,
  step int not null,
  gid varchar(64) character set ascii collate ascii_bin not null,
  branch_id int not null,
  position int not null,
  undo_id bigint not null auto_increment,
  before_image longtext character set utf8mb4 collate utf8mb4_bin null,
  after_image longtext character set utf8mb4 collate utf8mb4_bin null,
  created_at_ms bigint not null,
  primary key (table_name, row_key, step),
  unique key settle_undo_id (undo_id),
  key settle_undo_gid (gid, undo_id)
) engine = InnoDB row_format = dynamic`;

const statements: Readonly<Record<Dialect, readonly string[]>> = {
  postgres: [table, index, image, look],
  mysql: [mysqlTable],
  sqlite: [],
};

/**
 * Statements that create what kind `at` keeps in a participant's database, in their order, without
 * semicolons; safe to repeat. Empty where `at` is not offered.
 */
export function undoSchema(dialect: Dialect): readonly string[] {
  return statements[dialect];
}
