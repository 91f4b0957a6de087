-- breaking: yes
-- The participant's guard rows, in its own database, written in the business transaction.
create table if not exists settle_barrier (
  gid varchar(64) character set ascii collate ascii_bin not null,
  branch_id int not null,
  operation varchar(16) character set ascii collate ascii_bin not null,
  state varchar(8) character set ascii collate ascii_bin not null,
  result longtext character set utf8mb4 collate utf8mb4_bin null,
  created_at_ms bigint not null,
  primary key (gid, branch_id, operation)
) engine = InnoDB;
