-- breaking: no
-- Undo rows of kind `at`, in the participant's own database, written in the local transaction. The
-- primary key under step 0 is the global lock of a data row. undo_id orders the rows of a gid over
-- its branches: what comes later in time is undone first. The primary key takes 1,564 bytes at most
-- of the 3,072 that InnoDB has for one: two names of 64 letters, quoted, are 261 characters.
create table if not exists settle_undo (
  table_name varchar(261) character set utf8mb4 collate utf8mb4_bin not null,
  row_key varchar(512) character set ascii collate ascii_bin not null,
  step int not null,
  gid varchar(64) character set ascii collate ascii_bin not null,
  branch_id int not null,
  position int not null,
  undo_id bigint not null auto_increment,
  before_image longtext character set utf8mb4 collate utf8mb4_bin null,
  after_image longtext character set utf8mb4 collate utf8mb4_bin null,
  created_at_ms bigint not null,
  primary key (table_name, row_key, step),
  unique key settle_undo_id (undo_id),
  key settle_undo_gid (gid, undo_id)
) engine = InnoDB row_format = dynamic;
