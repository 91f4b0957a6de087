-- breaking: yes
-- Lists by label, by how it ended and by mode come from an index, each in the order of the list.

-- Servers that still run write no labels: their terms end here, and they stop as fenced.
update coordinator_node set ended_at_ms = cast(unixepoch('subsec') * 1000 as integer)
where ended_at_ms is null;

-- One row per label of a transaction, written in the same commit as its first log row. `key=value`,
-- the value as inside of a JSON text. The primary key is the order of a list by label.
create table if not exists transaction_label (
  label text not null,
  started_at_ms integer not null,
  gid text not null,
  primary key (label, started_at_ms, gid)
) strict, without rowid;

-- `->` gives the value as it was written, between its quotes.
insert or ignore into transaction_label (label, started_at_ms, gid)
select pair.key || '=' || substr(labels -> pair.fullkey, 2, length(labels -> pair.fullkey) - 2),
  started_at_ms, gid
from open_transaction, json_each(labels) pair
where labels <> '{}';

insert or ignore into transaction_label (label, started_at_ms, gid)
select pair.key || '=' || substr(labels -> pair.fullkey, 2, length(labels -> pair.fullkey) - 2),
  started_at_ms, gid
from global_transaction, json_each(labels) pair
where labels <> '{}';

-- What mostly happens, a commit of mode transaction, is in none of these and pays for none.
create index if not exists global_transaction_rolled_back
  on global_transaction (started_at_ms desc, gid desc) where outcome = 'rolledBack';

create index if not exists global_transaction_saga
  on global_transaction (started_at_ms desc, gid desc) where mode = 'saga';

create index if not exists global_transaction_rolled_back_name
  on global_transaction (name, started_at_ms desc, gid desc) where outcome = 'rolledBack';

create index if not exists global_transaction_rolled_back_saga
  on global_transaction (started_at_ms desc, gid desc)
  where outcome = 'rolledBack' and mode = 'saga';
