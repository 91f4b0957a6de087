-- breaking: yes
-- Lists by label, by how it ended and by mode come from an index, each in the order of the list.

-- Servers that still run write no labels: their terms end here, and they stop as fenced.
-- The lock waits for their appends in flight; a row lock alone might wait for ever. One statement,
-- because it must hold outside of a transaction too.
do $$ begin lock table coordinator_node in exclusive mode; update coordinator_node
  set ended_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint
  where ended_at_ms is null; end $$;

-- One row per label of a transaction, written in the same commit as its first log row. `key=value`,
-- the value as inside of a JSON text. The primary key is the order of a list by label.
create table if not exists transaction_label (
  label text collate "C" not null,
  started_at_ms bigint not null,
  gid text collate "C" not null,
  primary key (label, started_at_ms, gid)
);

-- Taken apart as text: a value may hold what no text here may hold once it is unescaped.
insert into transaction_label (label, started_at_ms, gid)
select pair[1] || '=' || pair[2], started_at_ms, gid
from open_transaction, regexp_matches(labels, '"([^"]*)":"((?:[^"\\]|\\.)*)"', 'g') pair
where labels <> '{}'
on conflict do nothing;

insert into transaction_label (label, started_at_ms, gid)
select pair[1] || '=' || pair[2], started_at_ms, gid
from global_transaction, regexp_matches(labels, '"([^"]*)":"((?:[^"\\]|\\.)*)"', 'g') pair
where labels <> '{}'
on conflict do nothing;

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
