-- breaking: yes
-- Lists by label and by how it ended come from an index, each in the order of the list.

-- Servers that still run write no labels: their terms end here, and they stop as fenced.
-- It waits for their appends in flight.
update coordinator_node set ended_at_ms = floor(unix_timestamp(now(3)) * 1000)
where ended_at_ms is null;

-- One row per label of a transaction, written in the same commit as its first log row. `key=value`,
-- the value as inside of a JSON text. The primary key is the order of a list by label. Bytes, because
-- texts with another number of spaces at their end are equal here.
create table if not exists transaction_label (
  label varbinary(1024) not null,
  started_at_ms bigint not null,
  gid varchar(64) character set ascii collate ascii_bin not null,
  primary key (label, started_at_ms, gid)
) engine = InnoDB;

-- A runner that died between two statements starts over: what was copied is copied again.
insert into transaction_label (label, started_at_ms, gid)
select concat(pair.name, '=', substr(json_extract(labels, concat('$."', pair.name, '"')), 2,
    char_length(json_extract(labels, concat('$."', pair.name, '"'))) - 2)), started_at_ms, gid
from open_transaction
  join json_table(if(json_valid(labels), json_keys(labels), '[]'),
    '$[*]' columns (name varchar(128) path '$')) pair
where labels <> '{}'
on duplicate key update gid = transaction_label.gid;

insert into transaction_label (label, started_at_ms, gid)
select concat(pair.name, '=', substr(json_extract(labels, concat('$."', pair.name, '"')), 2,
    char_length(json_extract(labels, concat('$."', pair.name, '"'))) - 2)), started_at_ms, gid
from global_transaction
  join json_table(if(json_valid(labels), json_keys(labels), '[]'),
    '$[*]' columns (name varchar(128) path '$')) pair
where labels <> '{}'
on duplicate key update gid = transaction_label.gid;

-- MySQL has no `create index if not exists`, and no partial index: this one every end pays for.
set @add_outcome_key = (
  select if(count(*) > 0, 'do 0',
    'create index global_transaction_outcome on global_transaction (outcome, started_at_ms, gid)')
  from information_schema.statistics
  where table_schema = database() and table_name = 'global_transaction'
    and index_name = 'global_transaction_outcome');

prepare add_outcome_key from @add_outcome_key;

execute add_outcome_key;

deallocate prepare add_outcome_key;
