-- breaking: yes
-- The coordinator's log for SQLite. Text compares byte by byte (BINARY is SQLite's default).
-- Each statement may run again: a runner that died half-way starts over.

-- One row per append, never changed afterwards. The primary key is the compare-and-set.
create table if not exists transaction_log (
  gid text not null,
  seq integer not null,
  shard integer not null,
  epoch integer not null,
  at_ms integer not null,
  records text not null,
  primary key (gid, seq)
) strict;

-- The search row of a gid, written in the same commit as the log row that changed it.
create table if not exists global_transaction (
  gid text not null primary key,
  shard integer not null,
  mode text not null,
  name text not null,
  outcome text,
  cause text,
  attention text,
  started_at_ms integer not null,
  deadline_at_ms integer,
  finished_at_ms integer,
  labels text not null
) strict, without rowid;

-- Recovery pages the open gids in order.
create index if not exists global_transaction_open on global_transaction (gid)
  where outcome is null;

-- Lists show the newest first.
create index if not exists global_transaction_newest
  on global_transaction (started_at_ms desc, gid desc);

create index if not exists global_transaction_name
  on global_transaction (name, started_at_ms desc, gid desc);

create index if not exists global_transaction_attention
  on global_transaction (started_at_ms desc, gid desc) where attention is not null;

-- One row per term. The term that is still running has no end.
create table if not exists coordinator_node (
  epoch integer not null primary key,
  node text not null,
  address text not null,
  started_at_ms integer not null,
  heartbeat_at_ms integer not null,
  ended_at_ms integer
) strict;

-- Which term owns which slice of the gids.
create table if not exists log_shard (
  shard integer not null primary key,
  epoch integer not null
) strict;
