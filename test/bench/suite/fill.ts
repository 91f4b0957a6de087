/**
 * Fills a PostgreSQL log with finished transactions, far faster than they could be run: real ones
 * are copied, each copy under a gid of its own that lies further back in time. Their records say the
 * gid of the copy, so the rows are what a coordinator would have left.
 */
import pg from 'pg';

/** Copies of one statement: so that none runs for minutes. */
const copiesPerStatement = 100_000;

/** `$1`: how many to copy from. */
const takeSource = `create table bench_source as
  select row_number() over (order by gid) - 1 as n, gid, started_at_ms
  from global_transaction where outcome is not null order by gid limit $1`;

/**
 * The copies from `$1` to `$2` of `$3` sources, one per millisecond, which end when the first source
 * begins, `$4` being how many there will be. The first 13 characters of a gid are its time.
 */
const takeCopies = `create temporary table bench_copy as
  select i / 128 as batch, source.gid as old_gid, first.at_ms - $4 + i as at_ms,
    overlay(overlay(source.gid placing substr(time.hex, 1, 8) from 1)
      placing substr(time.hex, 9, 4) from 10) as gid
  from generate_series($1::bigint, $2::bigint - 1) i
  join bench_source source on source.n = i % $3
  cross join (select min(started_at_ms) as at_ms from bench_source) first
  cross join lateral (select lpad(to_hex(first.at_ms - $4 + i), 12, '0') as hex) time`;

/**
 * As commits write them: begins of many, then decisions of many, then ends, so that small rows fill
 * what large ones have left of their pages. Transaction by transaction every page would keep a hole,
 * and each of the next 200,000 transactions would look for one in a page that is cold.
 */
const copyLog = `insert into transaction_log (gid, seq, shard, epoch, at_ms, records)
  select copy.gid, seq, shard, epoch, copy.at_ms, replace(records, old_gid, copy.gid)
  from bench_copy copy join transaction_log log on log.gid = old_gid order by copy.batch, seq, copy.gid`;

const copyIndex = `insert into global_transaction (gid, shard, mode, name, outcome, cause, attention,
    started_at_ms, deadline_at_ms, finished_at_ms, labels)
  select copy.gid, shard, mode, name, outcome, cause, attention, copy.at_ms,
    deadline_at_ms, copy.at_ms + finished_at_ms - started_at_ms, labels
  from bench_copy copy join global_transaction ended on ended.gid = old_gid order by copy.gid`;

const sourcesMax = 1_000;

/**
 * Adds so many finished transactions to a log that has some, and leaves it as a database that has
 * had a quiet night: vacuumed, analysed, with everything on disk. Throws when it has none to copy.
 */
export async function fillFinished(
  logUrl: string,
  count: number,
  said: (filled: number) => void,
): Promise<void> {
  const client = new pg.Client({ connectionString: logUrl });
  // Without a listener a connection that is lost would end the process; the statement reports it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query({ text: takeSource.replace('$1', String(sourcesMax)) });
    if (rowCount === null || rowCount === 0) throw new Error('there is nothing to copy');
    for (let from = 0; from < count; from += copiesPerStatement) {
      const to = Math.min(count, from + copiesPerStatement);
      await client.query(withNumbers(takeCopies, [from, to, rowCount, count]));
      await client.query(copyLog);
      await client.query(copyIndex);
      await client.query('drop table bench_copy');
      said(to);
    }
    await client.query('drop table bench_source');
    await client.query('vacuum (analyze)');
    await client.query('checkpoint');
  } finally {
    await client.end();
  }
}

/** A statement that makes a table takes no parameters. */
function withNumbers(text: string, values: readonly number[]): string {
  return text.replace(/\$(\d)/g, (_, index: string) => String(values[Number(index) - 1]));
}
