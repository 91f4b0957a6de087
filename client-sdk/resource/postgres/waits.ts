/**
 * Who waits for whom on PostgreSQL. A session is known by its process id; behind a pooler that may be
 * another one's by now, so whoever is asked about, or ended, must be running the text that we wait for.
 * No privilege is needed: sessions of one role see each other's texts.
 */
import type { AskedWait, DialectWaits } from '../dialect.ts';

/** How it is asked. */
export const postgresWaits: DialectWaits = {
  async self(session) {
    const { rows } = await session.query(self);
    const [row] = rows;
    return { database: String(row?.['server']), id: Number(row?.['id']) };
  },
  async blockers(session, waits) {
    const { rows } = await session.query(blockers, parametersOf(waits));
    return new Map(rows.map((row) => [Number(row['id']), idsIn(String(row['blockers']))]));
  },
  async cancel(session, wait) {
    await session.query(cancel, parametersOf([wait]));
  },
};

// No two servers have started in the same microsecond.
const self = `select pg_catalog.pg_backend_pid() as id, pg_catalog.to_char(
  pg_catalog.pg_postmaster_start_time() at time zone 'UTC', 'YYYYMMDDHH24MISSUS') as server`;

// Texts are compared as far as both are known: the server keeps the first 1,024 bytes of each.
const running = `from rows from (pg_catalog.unnest($1::int[]), pg_catalog.unnest($2::text[]))
    as waits (id, text)
  join pg_catalog.pg_stat_activity a on a.pid = waits.id and a.state = 'active' and a.query <> ''
    and pg_catalog.left(a.query, pg_catalog.length(waits.text))
      = pg_catalog.left(waits.text, pg_catalog.length(a.query))`;

const blockers = `select waits.id as id,
  pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(a.pid), ',') as blockers ${running}`;

const cancel = `select pg_catalog.pg_cancel_backend(a.pid) ${running}`;

const textLengthMax = 1_000;

function parametersOf(waits: readonly AskedWait[]): readonly unknown[] {
  return [waits.map(({ id }) => id), waits.map(({ text }) => text.slice(0, textLengthMax))];
}

/** Zero stands for a prepared transaction, which has no session. */
function idsIn(list: string): readonly number[] {
  return list
    .split(',')
    .map(Number)
    .filter((id) => id > 0);
}
