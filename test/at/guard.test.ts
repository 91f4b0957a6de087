/**
 * Guarded tables through a resource and the command, on either kind of database: writers past Settle
 * are kept off rows that are not decided, those through Settle pass, and so does phase two; what
 * lets them pass stays with them.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Settle } from '../../client-sdk/index.ts';
import { runCommand, scratchFolder } from '../support/settle-command.ts';
import {
  describeOnEither,
  type EitherDatabase,
  type EitherKind,
  type Front,
} from './either-kind.ts';
import { outside } from './holes-world.ts';
import { startCoordinator, startService } from './world.ts';

const schema = [
  'create table account (id bigint primary key, cents bigint not null)',
  'insert into account values (1, 10), (2, 20), (3, 30)',
  'create table plain (id bigint primary key, cents bigint not null)',
  'insert into plain values (1, 0)',
];

let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
let folder: Awaited<ReturnType<typeof scratchFolder>>;
beforeAll(async () => {
  coordinator = await startCoordinator();
  folder = await scratchFolder();
});
afterAll(async () => {
  await coordinator.stop();
  await folder.remove();
});

const migrate = (...args: string[]) => runCommand(['migrate', ...args], { folder: folder.path });

interface World {
  readonly settle: Settle;
  readonly database: EitherDatabase;
  /** With one connection: whoever comes next gets the same one. */
  readonly bank: Front;
  readonly other: Front;
}

async function startWorld(kind: EitherKind): Promise<World> {
  const settle = await startService(coordinator.url, `shop-${crypto.randomUUID().slice(0, 8)}`);
  const database = await kind.start(schema);
  const second = await kind.start(schema);
  const guarded = await migrate('--participant', database.url, '--guard', 'account');
  expect(guarded).toMatchObject({ code: 0, stdout: expect.stringMatching(/^guarded .*account/m) });
  const options = { resource: 'bank', lockTimeoutMs: 1_000 };
  const bank = database.at(settle, options, { url: database.url, connections: 1 });
  return { settle, database, bank, other: second.at(settle, { resource: 'other' }) };
}

/** Joins, commits locally; then `meanwhile`, and the end of the transaction as told. */
async function undecided(
  { settle }: World,
  work: () => Promise<unknown>,
  { meanwhile, end }: { meanwhile: (gid: string) => Promise<void>; end: 'commit' | 'rollback' },
): Promise<void> {
  const all = settle.transaction({}, async (tx) => {
    const headers = await tx.headers();
    await outside(() => settle.join(headers, work));
    await outside(() => meanwhile(tx.gid));
    if (end === 'rollback') throw new Error('as planned');
  });
  await all.catch((error: Error) => {
    if (error.message !== 'as planned') throw error;
  });
}

const update = 'update account set cents = cents + 1 where id = 1';

await describeOnEither((kind) => {
  const refused = (gid: string) =>
    kind.of({
      postgres: `row ["1"] of public.account is locked by the global transaction ${gid}`,
      mysql: `locked by ${gid}, see npm run settle -- tx show: ["1"] of `,
    });

  describe('a guarded table', () => {
    it.each(['commit', 'rollback'] as const)(
      'keeps others off what is not decided, and not after a %s',
      async (end) => {
        const world = await startWorld(kind);
        const { database, bank } = world;
        await undecided(world, () => bank.query(update), {
          end,
          async meanwhile(gid) {
            await expect(database.query(update)).rejects.toThrow(refused(gid));
            await expect(bank.query(update), 'on the same connection').rejects.toThrow(
              refused(gid),
            );
            await database.query('update account set cents = 0 where id = 2');
            await database.query('select * from account where id = 1 for update');
          },
        });
        await untilNoUndo(world);
        const after = end === 'commit' ? 11 : 10;
        expect(await database.rowsOf('account')).toEqual([`(1,${after})`, '(2,0)', '(3,30)']);
        await database.query(update);
        await bank.query(update);
        expect((await database.rowsOf('account'))[0]).toBe(`(1,${after + 2})`);
      },
    );

    it('gives back what was inserted, changed and deleted', async () => {
      const world = await startWorld(kind);
      const { database, bank, other, settle } = world;
      const work = settle.transaction({}, async () => {
        await other.query(update);
        await bank.query('delete from account where id = 1');
        await bank.query('insert into account values (4, 40)');
        await bank.query('update account set cents = 0 where id > 1');
        throw new Error('as planned');
      });
      await expect(work).rejects.toThrow('as planned');
      await undecided(
        world,
        async () => {
          await bank.query('delete from account where id = 1');
          await bank.query('insert into account values (4, 40)');
          await bank.query('update account set cents = 0 where id > 1');
        },
        {
          end: 'rollback',
          async meanwhile(gid) {
            const again = database.query('insert into account values (1, 5)');
            await expect(again).rejects.toThrow(refused(gid));
            await expect(database.query('delete from account')).rejects.toThrow(gid);
          },
        },
      );
      await untilNoUndo(world);
      expect(await database.rowsOf('account')).toEqual(['(1,10)', '(2,20)', '(3,30)']);
      await expect(bank.query('delete from account where id = 1')).resolves.toBeDefined();
    });

    it('is passed again after a savepoint that was taken back', async () => {
      const world = await startWorld(kind);
      const { bank, settle, database } = world;
      await settle.transaction({}, async () => {
        const client = await bank.connect();
        await client.query('begin');
        await client.query(update);
        await client.query('rollback');
        client.release();
        const first = await passing(bank, kind);
        await bank.query(update);
        expect([first, await passing(bank, kind)]).toEqual([kind.store === 'mysql', true]);
      });
      await untilNoUndo(world);
      expect((await database.rowsOf('account'))[0]).toBe('(1,11)');
    });

    it('is passed by who says so only when one is written', async () => {
      const { settle, bank } = await startWorld(kind);
      await settle.transaction({}, async () => {
        await bank.query('update plain set cents = 1');
        await bank.query('select * from account where id = 1 for update');
        expect(await passing(bank, kind)).toBe(false);
        await bank.query(update);
        expect(await passing(bank, kind)).toBe(true);
      });
      expect(await passing(bank, kind)).toBe(false);
    });

    it.each(['a throw', 'a statement that fails', 'a refused one'])(
      'lets nobody pass on a connection that was given back after %s',
      async (way) => {
        const world = await startWorld(kind);
        const { settle, bank, database } = world;
        const fails: Readonly<Record<string, string>> = {
          'a statement that fails': 'insert into account values (2, 0)',
          'a refused one': 'truncate account',
        };
        const work = settle.transaction({}, async () => {
          await bank.query(update);
          const text = fails[way];
          if (text !== undefined) await bank.query(text);
          throw new Error('as planned');
        });
        await expect(work).rejects.toThrow();
        expect(await passing(bank, kind)).toBe(false);
        await undecided(world, () => bank.query(update), {
          end: 'commit',
          meanwhile: async (gid) => await expect(bank.query(update)).rejects.toThrow(refused(gid)),
        });
        expect((await database.rowsOf('account'))[0]).toBe('(1,11)');
      },
    );

    it('fails, or passes, when the guard has come since the facts were read', async () => {
      const world = await startWorld(kind);
      const { settle, bank, database } = world;
      const { url } = database;
      await migrate('--participant', url, '--unguard', 'account');
      await settle.transaction({}, () => bank.query('update account set cents = 0 where id = 3'));
      await migrate('--participant', url, '--guard', 'account');
      await undecided(world, () => bank.query('update account set cents = 5 where id = 2'), {
        end: 'rollback',
        async meanwhile(gid) {
          const again = settle.transaction({}, () =>
            bank.query('update account set cents = 6 where id = 2'),
          );
          await expect(again).rejects.toMatchObject({
            code: 'LOCK_CONFLICT',
            cause: { message: expect.stringContaining(gid) },
          });
        },
      });
      await untilNoUndo(world);
      expect((await database.rowsOf('account'))[1]).toBe('(2,20)');
    });
  });

  describe('settle migrate --guard', () => {
    it('is safe to repeat, shows its SQL, and takes guards away', async () => {
      const { database } = await startWorld(kind);
      const at = ['--participant', database.url];
      const again = await migrate(...at, '--guard', 'account', '--guard', 'plain');
      expect(again).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^guarded \S*plain\S*$/),
        stderr: expect.stringMatching(/account.? is guarded already\.$/),
      });
      const shown = await migrate(...at, '--print', '--unguard', 'plain', '--guard', 'account');
      expect(shown.code).toBe(0);
      expect(shown.stdout).toMatch(/drop trigger .*settle_guard/);
      expect(shown.stdout).not.toContain('create trigger');
      await migrate(...at, '--unguard', 'plain', '--unguard', 'account');
      const whole = await migrate(...at, '--print', '--guard', 'account');
      expect(whole.stdout).toMatch(/create trigger .*settle_guard/);
      expect(whole.stdout).toContain('npm run settle -- tx show');
    });

    it('says what is wrong with a table', async () => {
      const { database } = await startWorld(kind);
      for (const table of ['nowhere', 'a.b.c', 'settle_undo']) {
        const ended = await migrate('--participant', database.url, '--guard', table);
        expect(ended).toMatchObject({ code: 2, stdout: '' });
        expect(ended.stderr).toMatch(/^settle: INVALID_CONFIG: .+\.$/m);
      }
    });
  });
});

/** Whether the connection that comes next from this pool of one would pass. */
async function passing(bank: Front, { of }: EitherKind): Promise<boolean> {
  const answer = await bank.query(
    of({
      postgres: `select coalesce(current_setting('settle.writer', true)
        = pg_current_xact_id_if_assigned()::text, false)::int as passes`,
      mysql: 'select ifnull(@settle_writer = connection_id(), 0) as passes',
    }),
  );
  // A parse boundary: `pg` gives a result, `mysql2` a pair.
  const rows = (Array.isArray(answer) ? answer[0] : (answer as { rows: unknown }).rows) as {
    readonly passes: number;
  }[];
  return rows[0]?.passes === 1;
}

async function untilNoUndo({ database }: World): Promise<void> {
  for (;;) if ((await database.rowsOf(undoOfOthers)).length === 0) return;
}

/** Without the row that guards of MySQL collide with. */
const undoOfOthers = `(select * from settle_undo where gid <> '')`;
