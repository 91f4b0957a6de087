-- breaking: no
-- Whether anybody has undo rows on a data row when it is asked: volatile, so that it sees what was
-- committed since its statement began. A function, so that its plan is kept and is never a read of the
-- whole table, which is nearly empty each time it has been vacuumed and full of dead rows soon.
create or replace function settle_is_held_now(of_table text, of_key text) returns boolean
  language plpgsql volatile strict
  set enable_seqscan to off
  as $$ begin return exists (
    select from settle_undo where table_name = of_table and row_key = of_key); end $$;
