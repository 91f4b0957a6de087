/** The barrier through Kysely over Node's built-in SQLite; needs no server, so it always runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CamelCasePlugin,
  CompiledQuery,
  Kysely,
  ParseJSONResultsPlugin,
  SqliteDialect,
} from 'kysely';
import { describe, expect, it } from 'vitest';
import { createBarrierTable } from '../../client-sdk/participant/create-barrier-table.ts';
import { barrierOf } from '../../client-sdk/participant/databases/detect.ts';
import { nodeSqlite } from '../../client-sdk/participant/sqlite.ts';
import { kyselyStore } from '../support/barrier-stores.ts';
import { afterWork, gate } from '../support/gate.ts';
import { asking, barrierConformance, effectsOf, effectTable } from './barrier.ts';

async function openStore() {
  const folder = await mkdtemp(join(tmpdir(), 'settle-barrier-'));
  const path = join(folder, 'bank.db');
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: nodeSqlite(path) }) });
  await createBarrierTable(db);
  await db.executeQuery(CompiledQuery.raw(effectTable));
  const store = kyselyStore(db, async () => undefined);
  const close = async () => {
    await store.close();
    await rm(folder, { recursive: true });
  };
  return { ...store, close, path, kysely: db };
}

describe('barrier: Kysely over node:sqlite', () => {
  barrierConformance(openStore);

  it('answers unknown, soon to be asked again, while another process holds the write lock', async () => {
    const store = await openStore();
    const database = nodeSqlite(store.path, { busyTimeoutMs: 1 });
    const other = new Kysely<unknown>({ dialect: new SqliteDialect({ database }) });
    const held = gate();
    const cancels = asking(store, undefined, afterWork(barrierOf(store.db), held));
    const cancelled = cancels('cancel', 'busy');
    await held.entered;
    const tries = asking({ ...store, db: other });
    expect(await tries('try', 'busy')).toMatchObject({
      outcome: 'unknown',
      error: expect.stringContaining('locked'),
      retryAfterMs: 50,
    });
    held.open();
    expect((await cancelled).outcome).toBe('done');
    expect((await tries('try', 'busy')).outcome).toBe('refused');
    expect(await effectsOf(store, 'busy')).toBe('');
    await other.destroy();
    await store.close();
  });

  it('works beside plugins that rename columns and parse texts', async () => {
    const store = await openStore();
    const db = store.kysely
      .withPlugin(new CamelCasePlugin())
      .withPlugin(new ParseJSONResultsPlugin());
    const ask = asking({ ...store, db }, () => ({ seat: '1A' }));
    for (const _ of [1, 2]) {
      expect(await ask('try', 'plugins')).toEqual({ outcome: 'done', result: { seat: '1A' } });
    }
    await store.close();
  });
});
