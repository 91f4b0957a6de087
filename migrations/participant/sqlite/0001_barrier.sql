-- breaking: yes
-- The participant's guard rows, in its own database, written in the business transaction.
create table if not exists settle_barrier (
  gid text not null,
  branch_id integer not null,
  operation text not null,
  state text not null,
  result text,
  created_at_ms integer not null,
  primary key (gid, branch_id, operation)
) strict;
