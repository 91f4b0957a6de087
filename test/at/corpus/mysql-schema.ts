/** The tables of the corpus of MySQL, one statement each, and what is in them. */

/** Run in this order on an empty database. */
export const mysqlSchema: readonly string[] = [
  `create table acct (id bigint primary key, owner varchar(40) not null,
    cents bigint not null default 0, note varchar(100), place int)`,
  `create table item (id int unsigned auto_increment primary key, name varchar(40) not null,
    email varchar(60), qty int not null default 0, unique key by_email (email))`,
  `create table line (order_id int, no int, sku varchar(20) not null, price decimal(10,2),
    primary key (order_id, no))`,
  'create table token (id binary(16) primary key, value varchar(20))',
  `create table ticket (tenant int, id int auto_increment, title varchar(20),
    primary key (tenant, id), key (id))`,
  `create table doc (code varchar(20) primary key, body text, price decimal(10,2),
    total decimal(12,2) as (price * 2) stored, shown decimal(12,2) as (price + 1) virtual,
    changed timestamp(6) not null default current_timestamp(6) on update current_timestamp(6))`,
  `create table seat (\`row\` int, no int, guest varchar(20), label varchar(20),
    primary key (\`row\`, no), unique key by_guest (guest), unique key by_label (label))`,
  'create table keyless (a int)',
  'create view rich as select * from acct where cents > 300',
  'create table audited (id int primary key, n int)',
  'create trigger audit_insert before insert on audited for each row set new.n = 1',
  'create table parent (id int primary key, code int unique, n int)',
  `create table child (id int primary key, parent_id int, code int,
    foreign key (parent_id) references parent (id) on delete cascade,
    foreign key (code) references parent (code) on update cascade)`,
  'create table maker (id int primary key, name varchar(20))',
  `create table part (id int primary key, maker_id int, settle_note int,
    foreign key (maker_id) references maker (id))`,
  'create table prefixed (id int primary key, body varchar(100), unique key by_body (body(10)))',
  'create table old (id int primary key) engine = MyISAM',
  `create function twice(n bigint) returns bigint deterministic no sql return n * 2`,
  `create function spend(n bigint) returns bigint modifies sql data
    begin update acct set cents = cents - n where id = 1; return n; end`,
  `insert into acct values (1, 'Ada', 1000, null, 3), (2, 'Bob', 500, 'x', 1),
    (3, 'O''Neil', 0, '', 2), (4, 'Dee', 400, 'a,b~c', 4)`,
  `insert into item (id, name, email, qty) values (1, 'pen', 'p@x', 5), (2, 'ink', 'i@x', 0),
    (3, 'pad', null, 7)`,
  `insert into line values (1, 1, 'pen', 1.50), (1, 2, 'ink', 20.00), (2, 1, 'pen', 1.50)`,
  `insert into token values (x'000102030405060708090a0b0c0d0e0f', 'one'),
    (x'ff0102030405060708090a0b0c0d0e0f', 'two')`,
  `insert into ticket values (1, 1, 'a'), (1, 2, 'b'), (2, 3, 'c')`,
  `insert into doc (code, body, price, changed) values
    ('intro', 'Hello', 1.25, '2020-02-03 04:05:06.789012'), ('end', null, null, '2021-01-01')`,
  `insert into seat values (1, 1, 'ann', 'A1'), (1, 2, 'ben', 'A2'), (2, 1, null, null)`,
  'insert into keyless values (1)',
  `insert into maker values (1, 'acme'), (2, 'bolt'), (3, 'cog')`,
  'insert into part values (1, 1, null)',
  'insert into parent values (1, 10, 0), (2, 20, 0)',
  'insert into child values (1, 1, 10)',
  `insert into prefixed values (1, 'abc')`,
];

/** Those of which every row is looked at. */
export const mysqlTables: readonly string[] = [
  ...['acct', 'item', 'line', 'token', 'ticket', 'doc', 'seat', 'parent', 'child', 'prefixed'],
  ...['maker'],
];
