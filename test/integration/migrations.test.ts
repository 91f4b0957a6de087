/** The migration runner on each kind of database: at once, half-way, too old, too new. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { SqlRow } from '../../migrations/executor.ts';
import {
  loadMigrations,
  type MigrationSet,
  migrate,
  schemaState,
  splitStatements,
} from '../../migrations/runner.ts';
import { openLog } from '../../server/log/index.ts';
import type { IndexRow } from '../../server/log/log.ts';
import { type LogTarget, parseLogUrl } from '../../server/log/log-url.ts';
import {
  migrateLog,
  printSchema,
  requireLogSchema,
  withExecutor,
} from '../../server/log/schema.ts';
import { describeOn } from '../support/databases.ts';
import { beginning, indexRow, logRow, startMs } from '../support/log-rows.ts';

const program = fileURLToPath(new URL('../support/migrate-child.ts', import.meta.url));

function storedTarget(url: string): Exclude<LogTarget, { kind: 'memory' }> {
  const target = parseLogUrl(url);
  if (target.kind === 'memory') throw new Error('a log in memory has no schema');
  return target;
}

/** Runs statements by hand, as an operator or a dead runner would have. */
function byHand(url: string, ...statements: readonly string[]): Promise<readonly SqlRow[]> {
  return withExecutor(storedTarget(url), async (executor) => {
    let rows: readonly SqlRow[] = [];
    for (const sql of statements) rows = await executor.run(sql, []);
    return rows;
  });
}

const coordinator = (url: string) => loadMigrations('coordinator', storedTarget(url).kind);

const names = ['0001_log', '0002_open_transaction', '0003_label'];

/** The schema as it was after its first migrations. */
async function applyFirst(url: string, count: number): Promise<void> {
  if (count === 0) return;
  const known = await coordinator(url);
  const first = { ...known, migrations: known.migrations.slice(0, count) };
  await withExecutor(storedTarget(url), (executor) => migrate(executor, first));
}

/** As the servers before 0002 wrote it. */
function insertionOf(index: IndexRow, table = 'global_transaction'): string {
  const outcome = index.outcome === null ? 'null' : `'${index.outcome}'`;
  return `insert into ${table} (gid, shard, mode, name, outcome, cause, attention,
      started_at_ms, deadline_at_ms, finished_at_ms, labels)
    values ('${index.gid}', ${index.shard}, '${index.mode}', '${index.name}', ${outcome}, null, null,
      ${index.startedAtMs}, ${index.deadlineAtMs}, null, '${JSON.stringify(index.labels)}')`;
}

async function expectUsable(url: string): Promise<void> {
  const log = await openLog(url, { migrate: false });
  onTestFinished(() => log.close());
  const term = await log.takeOver('node-1', '127.0.0.1:7400', startMs);
  expect(await log.append(term, [beginning(term, 'g')])).toEqual(['appended']);
  expect(await log.openGids('', 10)).toEqual(['g']);
}

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

const future = (isBreaking: 0 | 1) =>
  `insert into settle_schema (set_name, number, name, is_breaking, applied_at_ms)
   values ('coordinator', 1001, '1001_future', ${isBreaking}, 1)`;

function migrations(newUrl: () => Promise<string>): void {
  it('migrates an empty database once', async () => {
    const url = await newUrl();
    expect(await migrateLog(url)).toEqual(names);
    expect(await migrateLog(url)).toEqual([]);
    await expectUsable(url);
    expect(await migrateLog(url)).toEqual([]);
    expect(await byHand(url, 'select gid from transaction_log')).toHaveLength(1);
  });

  it('says what is missing, and checking changes nothing', async () => {
    const url = await newUrl();
    if (storedTarget(url).kind === 'sqlite') await byHand(url, 'create table other (id int)');
    await expect(requireLogSchema(url)).rejects.toMatchObject({
      code: 'SCHEMA_MISSING',
      detail: `Not applied yet: ${names.join(', ')}.`,
    });
    await expect(byHand(url, 'select * from settle_schema')).rejects.toThrow();
  });

  it('is done once by four processes that start at once', async () => {
    const url = await newUrl();
    const children = Array.from({ length: 4 }, () => start(url));
    const applied = await Promise.all(children.map((child) => text(child.stdout)));
    expect(applied.toSorted()).toEqual([JSON.stringify(names), '[]', '[]', '[]']);
    await expectUsable(url);
  });

  it('is done once by eight runners in one process', async () => {
    const url = await newUrl();
    const applied = await Promise.all(Array.from({ length: 8 }, () => migrateLog(url)));
    expect(applied.flat()).toEqual(names);
  });

  it('goes on where a dead runner stopped, after any statement', async () => {
    const { migrations } = await coordinator(await newUrl());
    for (const [before, migration] of migrations.entries()) {
      const statements = splitStatements(migration.text);
      expect(statements.length).toBeGreaterThanOrEqual(4);
      for (let count = 1; count <= statements.length; count += 1) {
        const url = await newUrl();
        await applyFirst(url, before);
        await byHand(url, ...statements.slice(0, count));
        expect(await migrateLog(url)).toEqual(names.slice(before));
        await requireLogSchema(url);
      }
    }
  });

  it('moves what is open into a table of its own, and ends the term of an old server', async () => {
    const url = await newUrl();
    await applyFirst(url, 1);
    const index = { ended: indexRow('ended', { outcome: 'committed' }), open: indexRow('open') };
    await byHand(
      url,
      `insert into coordinator_node (epoch, node, address, started_at_ms, heartbeat_at_ms)
       values (7, 'old', '127.0.0.1:7400', 1, 1)`,
      ...Object.values(index).map((row) => insertionOf(row)),
    );
    // A runner may die after any of its statements, so all of them but the last run twice.
    const { migrations } = await coordinator(url);
    await byHand(url, ...splitStatements(migrations[1]?.text ?? '').slice(0, -1));
    expect(await migrateLog(url)).toEqual(names.slice(1));
    const log = await openLog(url, { migrate: false });
    onTestFinished(() => log.close());
    const old = { node: 'old', epoch: 7 };
    expect(await log.append(old, [beginning(old, 'late')])).toEqual(['fenced']);
    expect(await log.openGids('', 10)).toEqual(['open']);
    expect(await log.find(['ended'])).toEqual([index.ended]);
    expect(await log.find(['open'])).toEqual([index.open]);
    expect((await log.search({ limit: 10 })).rows).toEqual([index.open, index.ended]);
    const term = await log.takeOver('new', '127.0.0.1:7401', startMs);
    const end = indexRow('open', { outcome: 'rolledBack', finishedAtMs: startMs + 1 });
    expect(await log.append(term, [{ row: logRow(term, 'open', 2), index: end }])).toEqual([
      'appended',
    ]);
    expect((await log.search({ limit: 10 })).rows).toEqual([end, index.ended]);
  });

  it('finds by label what was begun before there were labels to find by', async () => {
    const url = await newUrl();
    await applyFirst(url, 2);
    const labels = { tenant: 'ä b', 'shop/no.1': 'x","y":"z', none: '' };
    const written = JSON.stringify(labels).replaceAll('\\', '\\\\');
    const isMysql = storedTarget(url).kind === 'mysql';
    const insertion = (index: IndexRow, table: string) =>
      insertionOf(index, table).replace(
        `'${JSON.stringify(labels)}'`,
        () => `'${isMysql ? written : JSON.stringify(labels)}'`,
      );
    const open = indexRow('open', { labels });
    const ended = indexRow('ended', { labels, outcome: 'committed' });
    await byHand(
      url,
      insertion(open, 'open_transaction'),
      insertion(ended, 'global_transaction'),
      insertionOf(indexRow('bare', { outcome: 'committed' })),
    );
    expect(await migrateLog(url)).toEqual(names.slice(2));
    const log = await openLog(url, { migrate: false });
    onTestFinished(() => log.close());
    for (const [key, value] of Object.entries(labels)) {
      const { rows } = await log.search({ limit: 10, label: { key, value } });
      expect(rows).toEqual([open, ended]);
    }
  });

  it('waits for a runner that is at work, and takes over when that is killed', async () => {
    const url = await newUrl();
    const child = start(url, '2');
    await once(child.stdout, 'data');
    const waiting = migrateLog(url);
    child.kill('SIGKILL');
    expect(await waiting).toEqual(names);
    await expectUsable(url);
  });

  it('refuses a newer schema that is breaking, and accepts one that is not', async () => {
    const url = await newUrl();
    await migrateLog(url);
    await byHand(url, future(0));
    expect(await migrateLog(url)).toEqual([]);
    await requireLogSchema(url);
    await byHand(url, `delete from settle_schema where number = 1001`, future(1));
    const refusal = { code: 'SCHEMA_NEWER', detail: 'Applied, but not known here: 1001_future.' };
    await expect(migrateLog(url)).rejects.toMatchObject(refusal);
    await expect(openLog(url, { migrate: true })).rejects.toMatchObject(refusal);
    await expect(openLog(url, { migrate: false })).rejects.toMatchObject(refusal);
  });

  it('applies only what is missing, and records no migration that fails', async () => {
    const url = await newUrl();
    const target = storedTarget(url);
    const known = await coordinator(url);
    await migrateLog(url);
    const added = (sql: string): MigrationSet => {
      const next = { number: names.length + 1, name: '0099_added', isBreaking: false, text: sql };
      return { ...known, migrations: [...known.migrations, next] };
    };
    const apply = (set: MigrationSet) => withExecutor(target, (each) => migrate(each, set));
    await expect(
      apply(added('create table added (id int);\nselect * from nowhere;')),
    ).rejects.toThrow();
    const state = await withExecutor(target, (each) => schemaState(each, added('')));
    expect(state).toEqual({ kind: 'missing', names: ['0099_added'] });
    expect(await apply(added('create table if not exists added (id int);'))).toEqual([
      '0099_added',
    ]);
    expect(await migrateLog(url)).toEqual([]);
  });

  it('is the same when an operator runs the printed SQL', async () => {
    const url = await newUrl();
    await byHand(url, ...splitStatements(await printSchema('coordinator', url)));
    await requireLogSchema(url);
    await expectUsable(url);
  });

  it('keeps the sets apart when a participant shares the database', async () => {
    const url = await newUrl();
    const target = storedTarget(url);
    const barrier = await loadMigrations('participant', target.kind);
    const apply = () => withExecutor(target, (each) => migrate(each, barrier));
    expect(await apply()).toEqual(barrier.migrations.map(({ name }) => name));
    expect(await apply()).toEqual([]);
    await expect(requireLogSchema(url)).rejects.toMatchObject({ code: 'SCHEMA_MISSING' });
    expect(await migrateLog(url)).toEqual(names);
    await byHand(
      url,
      `insert into settle_barrier (gid, branch_id, operation, state, result, created_at_ms)
       values ('g', 1, 'try', 'done', null, 1), ('G', 1, 'try', 'done', '{}', 1)`,
    );
  });
}

describe('on sqlite', () => {
  let directory = '';
  let files = 0;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'settle-migrations-'));
  });
  afterAll(() => rm(directory, { recursive: true }));
  migrations(async () => {
    files += 1;
    return `sqlite:${join(directory, `${files}.db`)}`;
  });
});

await describeOn('postgres', (postgres) => migrations(() => postgres.newDatabase()));
await describeOn('mysql', (mysql) => migrations(() => mysql.newDatabase()));

describe('the files', () => {
  it.each(['coordinator', 'participant'] as const)(
    'of %s are the same in each dialect',
    async (name) => {
      const sets = await Promise.all(
        (['sqlite', 'postgres', 'mysql'] as const).map((dialect) => loadMigrations(name, dialect)),
      );
      const [first, ...others] = sets.map((set) =>
        set.migrations.map(({ number, name: file, isBreaking }) => ({ number, file, isBreaking })),
      );
      for (const other of others) expect(other).toEqual(first);
    },
  );
});
