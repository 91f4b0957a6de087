-- breaking: yes
-- The participant's guard rows, in its own database, written in the business transaction.
create table if not exists settle_barrier (
  gid varchar(64) collate "C" not null,
  branch_id integer not null,
  operation varchar(16) collate "C" not null,
  state varchar(8) collate "C" not null,
  result text,
  created_at_ms bigint not null,
  primary key (gid, branch_id, operation)
);
