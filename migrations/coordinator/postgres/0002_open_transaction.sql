-- breaking: yes
-- Open transactions get a table of their own, so that the end of one is an insert and a delete by
-- primary key instead of an update that touches every index of a table which only grows.

-- Servers that still run know the old tables: their terms end here, and they stop as fenced.
-- The lock waits for their appends in flight; a row lock alone might wait for ever. One statement,
-- because it must hold outside of a transaction too.
do $$ begin lock table coordinator_node in exclusive mode; update coordinator_node
  set ended_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint
  where ended_at_ms is null; end $$;

-- The search row of a gid while it is open, written in the same commit as the log row that changed
-- it. Outcome is always null here; the columns are those of global_transaction. Each row lives for
-- as long as its transaction, so the table stays small and its primary key is its only index.
create table if not exists open_transaction (
  gid text collate "C" not null primary key,
  shard smallint not null,
  mode text not null,
  name text collate "C" not null,
  outcome text,
  cause text,
  attention text,
  started_at_ms bigint not null,
  deadline_at_ms bigint,
  finished_at_ms bigint,
  labels text not null
) with (vacuum_truncate = false);

-- global_transaction keeps the search rows of those that have ended, each inserted once.
insert into open_transaction (gid, shard, mode, name, outcome, cause, attention, started_at_ms,
  deadline_at_ms, finished_at_ms, labels)
select gid, shard, mode, name, outcome, cause, attention, started_at_ms,
  deadline_at_ms, finished_at_ms, labels
from global_transaction where outcome is null
on conflict do nothing;

delete from global_transaction where outcome is null;

drop index if exists global_transaction_open;
