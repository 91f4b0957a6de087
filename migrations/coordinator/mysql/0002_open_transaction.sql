-- breaking: yes
-- Open transactions get a table of their own, so that the end of one is an insert and a delete by
-- primary key instead of an update that touches every index of a table which only grows.

-- Servers that still run know the old tables: their terms end here, and they stop as fenced.
-- It waits for their appends in flight.
update coordinator_node set ended_at_ms = floor(unix_timestamp(now(3)) * 1000)
where ended_at_ms is null;

-- The search row of a gid while it is open, written in the same commit as the log row that changed
-- it. Outcome is always null here; the columns are those of global_transaction. Each row lives for
-- as long as its transaction, so the table stays small and its primary key is its only index.
create table if not exists open_transaction (
  gid varchar(64) character set ascii collate ascii_bin not null,
  shard smallint not null,
  mode varchar(16) character set ascii collate ascii_bin not null,
  name varchar(128) character set utf8mb4 collate utf8mb4_bin not null,
  outcome varchar(16) character set ascii collate ascii_bin null,
  cause text character set utf8mb4 collate utf8mb4_bin null,
  attention text character set utf8mb4 collate utf8mb4_bin null,
  started_at_ms bigint not null,
  deadline_at_ms bigint null,
  finished_at_ms bigint null,
  labels text character set utf8mb4 collate utf8mb4_bin not null,
  primary key (gid)
) engine = InnoDB;

-- global_transaction keeps the search rows of those that have ended, each inserted once. A runner
-- that died between the two statements starts over: what was copied is copied again.
insert into open_transaction (gid, shard, mode, name, outcome, cause, attention, started_at_ms,
  deadline_at_ms, finished_at_ms, labels)
select gid, shard, mode, name, outcome, cause, attention, started_at_ms,
  deadline_at_ms, finished_at_ms, labels
from global_transaction where outcome is null
on duplicate key update gid = open_transaction.gid;

delete from global_transaction where outcome is null;

-- MySQL has no `drop index if exists`; on a repeat there is nothing left to drop.
set @drop_open_key = (
  select if(count(*) = 0, 'do 0', 'drop index global_transaction_open on global_transaction')
  from information_schema.statistics
  where table_schema = database() and table_name = 'global_transaction'
    and index_name = 'global_transaction_open');

prepare drop_open_key from @drop_open_key;

execute drop_open_key;

deallocate prepare drop_open_key;
