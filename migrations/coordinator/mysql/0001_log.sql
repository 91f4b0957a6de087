-- breaking: yes
-- The coordinator's log for MySQL 8 and MariaDB 10.6 or later. Binary collations compare byte by
-- byte. DDL is not transactional here, so indexes stand inside their table's one atomic statement.

-- One row per append, never changed afterwards. The primary key is the compare-and-set.
create table if not exists transaction_log (
  gid varchar(64) character set ascii collate ascii_bin not null,
  seq int not null,
  shard smallint not null,
  epoch bigint not null,
  at_ms bigint not null,
  records longtext character set utf8mb4 collate utf8mb4_bin not null,
  primary key (gid, seq)
) engine = InnoDB;

-- The search row of a gid, written in the same commit as the log row that changed it.
-- There are no partial indexes here: open gids come by (outcome, gid), and needs_attention, which
-- the database keeps, makes the attention list one index range in the order of the list.
create table if not exists global_transaction (
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
  needs_attention tinyint generated always as (attention is not null) stored,
  primary key (gid),
  key global_transaction_open (outcome, gid),
  key global_transaction_newest (started_at_ms, gid),
  key global_transaction_name (name, started_at_ms, gid),
  key global_transaction_attention (needs_attention, started_at_ms, gid)
) engine = InnoDB;

-- One row per term, share-locked by each append. The term that is still running has no end.
create table if not exists coordinator_node (
  epoch bigint not null,
  node varchar(255) character set utf8mb4 collate utf8mb4_bin not null,
  address varchar(255) character set utf8mb4 collate utf8mb4_bin not null,
  started_at_ms bigint not null,
  heartbeat_at_ms bigint not null,
  ended_at_ms bigint null,
  primary key (epoch)
) engine = InnoDB;

-- Which term owns which slice of the gids.
create table if not exists log_shard (
  shard smallint not null,
  epoch bigint not null,
  primary key (shard)
) engine = InnoDB;
