/**
 * Looks at a log from outside, for `settle doctor`: can it be reached, is its schema the one of this
 * version, do its clock and ours agree, how long does a durable write take, and what do the settings
 * of its server promise. Over a connection of its own, with or without a coordinator. Guard: no row of
 * the log is written or locked; what the probe writes it takes away again.
 */
import { existsSync } from 'node:fs';
import { errorTable, type Finding } from '../../client-sdk/protocol/index.ts';
import type { Dialect, Executor } from '../../migrations/executor.ts';
import { loadMigrations, schemaState } from '../../migrations/runner.ts';
import type { Clock } from '../runtime/clock.ts';
import { Failure } from '../runtime/failure.ts';
import { inOrder } from '../runtime/finding.ts';
import { parseLogUrl } from './log-url.ts';
import { withExecutor } from './schema.ts';

/** What the settings of a server say. */
export interface Setup {
  readonly findings: readonly Finding[];
  /** False: a probe that writes would fail, or wait for ever. */
  readonly takesWrites: boolean;
}

/**
 * All that can be seen of the log, one finding for each check, those that are in order, too. A log
 * that cannot be reached is a finding. Throws Failure INVALID_CONFIG for a URL that names none.
 */
export async function examineLog(url: string, clock: Clock): Promise<readonly Finding[]> {
  const target = parseLogUrl(url);
  if (target.kind === 'memory') return [inMemory];
  try {
    if (target.kind === 'sqlite' && !existsSync(target.path)) {
      throw new Failure('SCHEMA_MISSING', `There is no file ${target.path}.`);
    }
    return await withExecutor(target, (executor) => examine(executor, clock, target.name));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { title, remedy } = errorTable[error.code];
    return [{ check: 'log.reach', level: 'problem', seen: `${title} ${error.detail}`, remedy }];
  }
}

const inMemory: Finding = {
  check: 'log.replication',
  level: 'problem',
  seen: 'The log is kept in memory: when this process ends, every transaction is forgotten.',
  remedy: 'Start with --log sqlite:FILE or the URL of a database server; memory: is for tests.',
};

async function examine(
  executor: Executor,
  clock: Clock,
  name: string,
): Promise<readonly Finding[]> {
  const { findings, takesWrites } = await setupOf(executor);
  const schema = await schemaFinding(executor);
  const clocks = executor.dialect === 'sqlite' ? [] : [await clockFinding(executor, clock)];
  const hasTable = await hasSchemaTable(executor);
  const latency = takesWrites && hasTable ? [await latencyFinding(executor, clock)] : [];
  const reach = inOrder('log.reach', `${name} answers.`);
  return [reach, schema, ...clocks, ...latency, ...findings];
}

/** Each kind is loaded when it is asked for. */
async function setupOf(executor: Executor): Promise<Setup> {
  switch (executor.dialect) {
    case 'postgres':
      return (await import('./postgres-examine.ts')).examinePostgres(executor);
    case 'mysql':
      return (await import('./mysql-examine.ts')).examineMysql(executor);
    case 'sqlite':
      return { findings: [oneFile], takesWrites: true };
    default:
      return executor.dialect satisfies never;
  }
}

const oneFile: Finding = {
  check: 'log.replication',
  level: 'note',
  seen:
    'The log is one SQLite file, synced at each commit: what was answered survives a crash of the ' +
    'process and of the machine, not the loss of the disk.',
  remedy:
    'Back the file up with `sqlite3 FILE ".backup COPY"`, or keep the log on a database server.',
};

async function schemaFinding(executor: Executor): Promise<Finding> {
  const set = await loadMigrations('coordinator', executor.dialect);
  const state = await schemaState(executor, set);
  const check = 'log.schema';
  switch (state.kind) {
    case 'current':
      return inOrder(check, `The schema is that of this version, ${set.migrations.at(-1)?.name}.`);
    case 'missing':
      return {
        check,
        level: 'problem',
        seen: `The schema is behind: ${state.names.join(', ')} not applied.`,
        remedy:
          'Run `settle migrate --log URL` of this version; servers refuse to start before that.',
      };
    case 'newer':
      return {
        check,
        level: 'problem',
        seen: `The schema is newer: this version does not know ${state.names.join(', ')}.`,
        remedy: 'Run the version that has migrated it, or a later one.',
      };
    default:
      return state satisfies never;
  }
}

const nowMsSql: Readonly<Record<Exclude<Dialect, 'sqlite'>, string>> = {
  postgres: 'select (extract(epoch from clock_timestamp()) * 1000)::bigint as now',
  mysql: 'select floor(unix_timestamp(now(3)) * 1000) as now',
};

/** Deadlines are set in seconds; a term is closed by the database's clock when it is left. */
const skewMsMax = 1_000;
const looks = 3;

/** The look with the shortest way there and back tells most. */
async function clockFinding(executor: Executor, clock: Clock): Promise<Finding> {
  const sql = nowMsSql[executor.dialect === 'mysql' ? 'mysql' : 'postgres'];
  let best = { awayMs: Number.POSITIVE_INFINITY, skewMs: 0 };
  for (let look = 0; look < looks; look += 1) {
    const [before, sinceMs] = [clock.nowMs(), clock.monotonicMs()];
    const [row] = await executor.run(sql, []);
    const awayMs = clock.monotonicMs() - sinceMs;
    const skewMs = Number(row?.['now']) - (before + awayMs / 2);
    if (awayMs < best.awayMs) best = { awayMs, skewMs };
  }
  const { awayMs, skewMs } = best;
  const check = 'clock.log';
  const figures = `${seconds(Math.abs(skewMs))} (give or take ${milliseconds(awayMs / 2)})`;
  if (Math.abs(skewMs) - awayMs / 2 <= skewMsMax) {
    return inOrder(check, `The clock of the log's database is within ${figures} of this one.`);
  }
  const side = skewMs > 0 ? 'ahead of' : 'behind';
  return {
    check,
    level: 'problem',
    seen: `The clock of the log's database is ${figures} ${side} the one of this machine.`,
    remedy:
      'Let both machines follow the same time servers (chrony, ntpd): deadlines and the times in ' +
      'lists follow the clock of the coordinator.',
  };
}

/** Two writes each. */
const rounds = 3;
const slowMs = 50;
/** With two commits in flight the 500 ms are full after which new work is refused. */
const tooSlowMs = 250;

/** A row of no set beside those of the migrations: written and taken away, each in a commit of its own. */
async function latencyFinding(executor: Executor, clock: Clock): Promise<Finding> {
  const key = Math.floor(clock.monotonicMs() * 1_000) % 2_000_000_000;
  const insert = `insert into settle_schema (set_name, number, name, is_breaking, applied_at_ms)
    values (${executor.placeholders(5)})`;
  const numberIs = executor.dialect === 'postgres' ? '$1' : '?';
  const remove = `delete from settle_schema where set_name = 'doctor' and number = ${numberIs}`;
  const tookMs: number[] = [];
  const timed = async (work: () => Promise<unknown>) => {
    const sinceMs = clock.monotonicMs();
    await work();
    tookMs.push(clock.monotonicMs() - sinceMs);
  };
  for (let round = 0; round < rounds; round += 1) {
    await timed(() => executor.run(insert, ['doctor', key, 'probe', 0, 0]));
    await timed(() => executor.run(remove, [key]));
  }
  const sorted = tookMs.toSorted((one, other) => one - other);
  const medianMs = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const seen =
    `A durable write to the log takes ${milliseconds(medianMs)} ` +
    `(median of ${sorted.length}, longest ${milliseconds(sorted.at(-1) ?? 0)}).`;
  const check = 'log.latency';
  if (medianMs < slowMs) return inOrder(check, seen);
  return {
    check,
    level: medianMs < tooSlowMs ? 'note' : 'problem',
    seen,
    remedy:
      'Every decision waits for one such write: give the log a disk with fast fsync (or a write ' +
      'cache with a battery), nearer to the coordinator, that no other database keeps busy.',
  };
}

async function hasSchemaTable(executor: Executor): Promise<boolean> {
  const sql: Readonly<Record<Dialect, string>> = {
    sqlite: `select 1 from sqlite_master where type = 'table' and name = 'settle_schema'`,
    postgres: `select 1 where to_regclass('settle_schema') is not null`,
    mysql: `select 1 from information_schema.tables
      where table_schema = database() and table_name = 'settle_schema'`,
  };
  return (await executor.run(sql[executor.dialect], [])).length > 0;
}

const milliseconds = (ms: number): string => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
const seconds = (ms: number): string =>
  ms < 1_000 ? milliseconds(ms) : `${(ms / 1_000).toFixed(1)} s`;
