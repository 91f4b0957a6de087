-- breaking: no
-- Whether anybody has undo rows on a data row. A function, so that its plan is kept and is never a read
-- of the whole table, which is nearly empty each time it has been vacuumed and full of dead rows soon.
create or replace function settle_is_held(of_table text, of_key text) returns boolean
  language plpgsql stable strict
  set enable_seqscan to off
  as $$ begin return exists (
    select from settle_undo where table_name = of_table and row_key = of_key); end $$;
