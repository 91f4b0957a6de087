-- breaking: no
-- Undo rows of kind `at`, in the participant's own database, written in the local transaction. The
-- primary key under step 0 is the global lock of a data row. undo_id orders the rows of a gid over
-- its branches: what comes later in time is undone first.
create table if not exists settle_undo (
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
);
create index if not exists settle_undo_gid on settle_undo (gid, undo_id);
-- A row as text under settings that are always the same, led by the name of its table: whoever reads
-- it knows which table it is from. 4 us a row, of which the settings are 3.
create or replace function settle_image(r anyelement) returns text
  language plpgsql stable strict
  set search_path to pg_catalog, pg_temp
  set timezone to 'UTC'
  set datestyle to 'ISO, YMD'
  set intervalstyle to 'postgres'
  set extra_float_digits to 1
  set bytea_output to 'hex'
  set lc_monetary to 'C'
  as $$ begin return pg_typeof(r)::text || r::text; end $$;
