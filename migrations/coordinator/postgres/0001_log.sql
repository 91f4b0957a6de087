-- breaking: yes
-- The coordinator's log for PostgreSQL. Collation "C" compares gids byte by byte, in the database
-- as in the program. Payloads are text: jsonb costs 1.4 times as much and nobody queries into them.

-- One row per append, never changed afterwards. The primary key is the compare-and-set.
create table if not exists transaction_log (
  gid text collate "C" not null,
  seq integer not null,
  shard smallint not null,
  epoch bigint not null,
  at_ms bigint not null,
  records text not null,
  primary key (gid, seq)
);

-- The search row of a gid, written in the same commit as the log row that changed it.
create table if not exists global_transaction (
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
);

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

-- One row per term, share-locked by each append. The term that is still running has no end.
create table if not exists coordinator_node (
  epoch bigint not null primary key,
  node text not null,
  address text not null,
  started_at_ms bigint not null,
  heartbeat_at_ms bigint not null,
  ended_at_ms bigint
);

-- Which term owns which slice of the gids.
create table if not exists log_shard (
  shard smallint not null primary key,
  epoch bigint not null
);
