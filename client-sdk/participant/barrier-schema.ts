/**
 * The table of the barrier as SQL, for examples, tests and programs that create their own schema.
 * Production runs `settle migrate --participant URL`; a test holds these texts equal to
 * `migrations/participant/`. Names compare byte by byte: two gids that differ in case are two gids.
 */
import type { Dialect } from './databases/kysely.ts';

const postgres = `create table if not exists settle_barrier (
  gid varchar(64) collate "C" not null,
  branch_id integer not null,
  operation varchar(16) collate "C" not null,
  state varchar(8) collate "C" not null,
  result text,
  created_at_ms bigint not null,
  primary key (gid, branch_id, operation)
)`;

const mysql = `create table if not exists settle_barrier (
  gid varchar(64) character set ascii collate ascii_bin not null,
  branch_id int not null,
  operation varchar(16) character set ascii collate ascii_bin not null,
  state varchar(8) character set ascii collate ascii_bin not null,
  result longtext character set utf8mb4 collate utf8mb4_bin null,
  created_at_ms bigint not null,
  primary key (gid, branch_id, operation)
) engine = InnoDB`;

const sqlite = `create table if not exists settle_barrier (
  gid text not null,
  branch_id integer not null,
  operation text not null,
  state text not null,
  result text,
  created_at_ms integer not null,
  primary key (gid, branch_id, operation)
) strict`;

const statements: Readonly<Record<Dialect, string>> = { postgres, mysql, sqlite };

/** One `create table if not exists` statement, without a semicolon. */
export function barrierSchema(dialect: Dialect): string {
  return statements[dialect];
}
