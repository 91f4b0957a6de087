/**
 * `settle lock graph` over a database of PostgreSQL and one of MariaDB: waits for a local transaction,
 * for a decision, for a session of nobody we know, and rings; and participants that do not say.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { setImmediate as tick } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { LockGraphAnswer } from '../../client-sdk/protocol/index.ts';
import { ChannelClient } from '../support/channel-client.ts';
import { provide, skipSuite } from '../support/databases.ts';
import { runCommand, scratchFolder } from '../support/settle-command.ts';
import { change, deadlockSchema, runAll, startDeadlockWorld } from './deadlocks.ts';
import { kindOn } from './either-kind.ts';
import { startCoordinator } from './world.ts';

/** Runs as another service would: with no transaction around. */
const outside = AsyncLocalStorage.snapshot();

function pidIn(answer: unknown): number {
  const { rows } = answer as { readonly rows: readonly { readonly pid: number }[] };
  return rows[0]?.pid ?? 0;
}

const [postgres, mysql] = [await provide('postgres'), await provide('mysql')];
for (const server of [postgres, mysql]) {
  if (server.kind === 'skipped') skipSuite('the lock graph', server.reason);
}

if (postgres.kind === 'provided' && mysql.kind === 'provided') {
  describe('the lock graph', () => {
    let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
    let folder: Awaited<ReturnType<typeof scratchFolder>>;
    beforeAll(async () => {
      coordinator = await startCoordinator();
      folder = await scratchFolder();
    });
    afterAll(async () => {
      await coordinator.stop();
      await folder.remove();
      await Promise.all([postgres.stop(), mysql.stop()]);
    });

    const start = () =>
      startDeadlockWorld(
        coordinator.url,
        [postgres, mysql].map((server) => () => kindOn(server).start(deadlockSchema)),
      );
    const graph = async (): Promise<LockGraphAnswer> =>
      (await (await fetch(`${coordinator.url}/v1/locks/graph`)).json()) as LockGraphAnswer;
    const settle = (...args: string[]) =>
      runCommand([...args, '--url', coordinator.url], { folder: folder.path });

    /** Looks until it is so. */
    async function until(holds: (seen: LockGraphAnswer) => boolean): Promise<LockGraphAnswer> {
      for (;;) {
        const seen = await graph();
        if (holds(seen)) return seen;
      }
    }

    it('is empty, and says so, while nobody waits', async () => {
      await until(({ waits }) => waits.length === 0);
      const { code, stdout, stderr } = await settle('lock', 'graph');
      expect([code, stdout, stderr]).toEqual([0, '', 'Nobody waits for a lock.']);
      expect((await settle('lock', 'graph', '--json')).stdout).toBe('');
    });

    it('shows a queue over two databases, who stands at its head, and who nobody knows', async () => {
      const { settle: shop, sites } = await start();
      const [first, second, third] = sites;
      const gate = Promise.withResolvers<void>();
      const [hasFirst, hasSecond] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const foreign = await third.database.session();
      await foreign.query('begin');
      await foreign.query('update t set n = n + 1 where id = 1');
      const pid = pidIn(await foreign.query('select pg_backend_pid() as pid'));
      const gids: string[] = [];
      const ended = runAll(shop, [
        async ({ gid }) => {
          gids[0] = gid;
          await change(first);
          hasFirst.resolve();
          await gate.promise;
        },
        async ({ gid }) => {
          gids[1] = gid;
          await change(second);
          hasSecond.resolve();
          await hasFirst.promise;
          await change(first);
        },
        async ({ gid }) => {
          gids[2] = gid;
          await hasSecond.promise;
          await change(second);
        },
        async ({ gid }) => {
          gids[3] = gid;
          await change(third);
        },
      ]);
      const seen = await until(({ waits }) => waits.length === 3);
      const waitOf = (gid: string | undefined) => seen.waits.find((wait) => wait.gid === gid);
      const lock = { kind: 'lock', isInCycle: false, givesWay: false };
      expect(waitOf(gids[1])).toMatchObject({ ...lock, waitsFor: gids[0], database: 'shop/db0' });
      expect(waitOf(gids[2])).toMatchObject({ ...lock, waitsFor: gids[1], database: 'shop/db1' });
      expect(waitOf(gids[3])).toMatchObject({
        ...{ ...lock, waitsFor: null, database: 'shop/db2', connection: pid },
      });
      expect([seen.cycles, seen.unasked, seen.isCut]).toEqual([[], [], false]);
      expect(seen.transactions.map(({ gid, isWaiting }) => [gid, isWaiting])).toEqual([
        [gids[0], false],
        [gids[1], true],
        [gids[2], true],
        [gids[3], true],
      ]);
      expect(seen.transactions[1]?.connections.map(({ database }) => database).sort()).toEqual([
        'shop/db0',
        'shop/db1',
      ]);
      expect(seen.waits[0]?.sinceMs).toBeLessThanOrEqual(seen.atMs);

      const { stdout, code } = await settle('lock', 'graph');
      expect(code).toBe(0);
      const lines = stdout.split('\n');
      const head = lines.findIndex((line) => line.startsWith(`${gids[0]} transaction active`));
      expect(lines.slice(head + 1, head + 4)).toEqual([
        expect.stringMatching(/^ {2}at work in shop\/db0 \(connection \d+\)$/),
        expect.stringMatching(`^└─ ${gids[1]} \\S+ waits \\d+ s for a lock in shop/db0 `),
        expect.stringMatching(`^ {3}└─ ${gids[2]} \\S+ waits \\d+ s for a lock in shop/db1 `),
      ]);
      expect(stdout).toContain(`connection ${pid} of shop/db2, of no global transaction`);
      const json = (await settle('lock', 'graph', '--json')).stdout.split('\n');
      const kinds = json.flatMap((line) => Object.keys(JSON.parse(line)));
      expect(kinds.filter((kind) => kind === 'wait')).toHaveLength(3);
      expect(kinds.filter((kind) => kind === 'transaction')).toHaveLength(4);

      gate.resolve();
      await foreign.query('rollback');
      expect((await ended).map(({ error }) => error)).toEqual([null, null, null, null]);
      await until(({ waits }) => waits.length === 0);
    });

    it('shows who waits for a decision, and the rows that are held until then', async () => {
      const { settle: shop, sites } = await start();
      const [first] = sites;
      const gate = Promise.withResolvers<void>();
      const left = Promise.withResolvers<void>();
      const gids: string[] = [];
      const ended = runAll(shop, [
        async ({ gid }) => {
          gids[0] = gid;
          // Committed locally, and not decided.
          await outside(() => shop.join(gid, () => change(first)));
          left.resolve();
          await gate.promise;
        },
        async ({ gid }) => {
          gids[1] = gid;
          await left.promise;
          await change(first);
        },
      ]);
      const { waits, transactions } = await until(
        (seen) => seen.waits.length === 1 && seen.transactions.some(({ rows }) => rows.length > 0),
      );
      expect(waits).toMatchObject([
        { gid: gids[1], kind: 'decision', waitsFor: gids[0], database: 'shop/db0' },
      ]);
      const [holder] = transactions;
      expect(holder).toMatchObject({ gid: gids[0], phase: 'active', isWaiting: false });
      expect(holder?.rows).toMatchObject([{ database: 'shop/db0', row: { id: '1' } }]);
      const { stdout } = await settle('lock', 'graph');
      expect(stdout).toMatch(/^ {2}holds shop\/db0 \S+ id=1$/m);
      expect(stdout).toMatch(/ waits \d+ s for its decision in shop\/db0$/m);
      gate.resolve();
      expect((await ended).map(({ error }) => error)).toEqual([null, null]);
      await until((seen) => seen.waits.length === 0);
    });

    it('marks a ring, names who gives way, and whom nobody heard', async () => {
      const ws = `${coordinator.url.replace('http', 'ws')}/channel`;
      for (const [service, error] of [
        ['mute', null],
        ['old', 'METHOD_NOT_OFFERED: this instance does not offer the method "-"'],
      ] as const) {
        const client = new ChannelClient(ws);
        onTestFinished(() => client.socket.close());
        client.onMessage = (message) => {
          if (message.kind !== 'call' || error === null) return;
          client.send({ kind: 'answer', id: message.id, answer: { outcome: 'unknown', error } });
        };
        await client.hello({ service, instance: `${service}-1`, methods: ['at.main'] });
      }
      const [elder, younger] = [`elder-${randomUUID()}`, `younger-${randomUUID()}`];
      let look = 0;
      const report = async (gid: string, other: string) => {
        const body = {
          scope: 's',
          look,
          waits: [],
          connections: [],
          holders: [{ id: 1, gid: other }],
        };
        await fetch(`${coordinator.url}/v1/transactions/${gid}/waits`, {
          ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
          body: JSON.stringify(body),
        });
      };
      let seen: LockGraphAnswer | null = null;
      while (seen?.waits.some(({ givesWay }) => givesWay) !== true) {
        look += 1;
        await report(elder, younger);
        await report(younger, elder);
        const looking = graph();
        // It waits for the mute one, and services go on reporting meanwhile.
        for (let isOver = false; !isOver; ) {
          look += 1;
          await report(elder, younger);
          await report(younger, elder);
          isOver = await Promise.race([looking.then(() => true), tick(false)]);
        }
        seen = await looking;
      }
      expect(seen.cycles).toEqual([[elder, younger].sort()]);
      expect(seen.waits.map(({ gid, isInCycle, givesWay }) => [gid, isInCycle, givesWay])).toEqual([
        [elder, true, false],
        [younger, true, true],
      ]);
      expect(seen.transactions).toMatchObject([{ name: null, phase: null }, { startedAtMs: null }]);
      expect(seen.unasked.toSorted((a, b) => (a.who < b.who ? -1 : 1))).toEqual([
        { who: 'mute/mute-1', detail: 'no answer in 1500 ms' },
        { who: 'old/old-1', detail: 'its SDK is older than this question' },
      ]);
    });
  });
}
