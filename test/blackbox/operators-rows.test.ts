/**
 * Rows under automatic undo on the command line: a row that somebody else has changed is found,
 * looked at, and resolved; who holds a row is told. A real coordinator, service and database.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOnKind } from '../at/either-kind.ts';
import { operatorOf } from '../at/resolve-world.ts';
import { startCoordinator, startService } from '../at/world.ts';
import { runCommand, scratchFolder } from '../support/settle-command.ts';

const schema = [
  'create table account (id int primary key, cents bigint not null, note varchar(40))',
  "insert into account values (1, 1000, 'first'), (2, 500, null), (3, 0, 'third')",
];
const why = ['--reason', 'the note is right'];

await describeOnKind('postgres', (kind) => {
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

  const settle = (...args: string[]) =>
    runCommand(args, { folder: folder.path, env: { SETTLE_URL: coordinator.url, USER: 'eve' } });

  /** Accounts 1 and 2 changed by a transaction, 1 by somebody else since; it rolls back. */
  async function dirtied() {
    const db = await kind.start(schema);
    const service = `shop-${randomUUID().slice(0, 8)}`;
    const client = await startService(coordinator.url, service);
    const front = db.at(client, { resource: 'bank' });
    await client.ready();
    const operator = operatorOf(coordinator.url);
    const gid = `g-${randomUUID().slice(0, 8)}`;
    await operator.post('/v1/transactions', { gid, name: 'order' });
    await client.join(gid, () =>
      front.query("update account set cents = cents - 100, note = 'x' where id in (1, 2)"),
    );
    await db.query("update account set note = 'mine' where id = 1");
    await operator.post(`/v1/transactions/${gid}/rollback`, { wait: 'decided' });
    while ((await operator.show(gid)).attention === null);
    return { db, gid, service, operator, client };
  }

  it('shows the three images, refuses what is not chosen well, and merges', async () => {
    const { db, gid, service, operator } = await dirtied();
    const shown = await settle('undo', 'show', gid);
    expect(shown.stdout).toMatch(
      /^shop-\S+\/at\.bank \(branch 1\)\nrows 2, dirty 1, seen [0-9a-f]+/,
    );
    expect(shown.stdout).toMatch(/^public\.account +\["1"\] +dirty +1 +note +somebody else/m);
    const diff = await settle('undo', 'diff', gid);
    expect(diff.stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      `${service}/at.bank (branch 1)`,
      expect.stringMatching(/^rows 2, dirty 1, seen [0-9a-f]{64}$/),
      '',
      'public.account ["1"] dirty: somebody else changed it',
      ' COLUMN BEFORE AFTER CURRENT',
      ' cents 1000 900 900',
      ' note first x mine',
    ]);
    const json = JSON.parse((await settle('undo', 'diff', gid, '--json')).stdout);
    expect(json.resources[0]).toMatchObject({ rowsTotal: 2, dirtyTotal: 1 });

    const who = await settle('lock', 'who', service, 'bank', 'account', '1', '--json');
    expect(JSON.parse(who.stdout)).toMatchObject({ lock: { gid }, holder: { name: 'order' } });
    const held = await settle('lock', 'list', service, 'bank', '--gid', gid);
    expect(held.stdout).toMatch(/^public\.account +id=1 +g-\S+ +1 +\d+ s$/m);
    const nobody = await settle('lock', 'who', service, 'bank', 'account', '3');
    expect(nobody).toMatchObject({ code: 0, stdout: '', stderr: 'Nobody holds that row.' });

    const resolve = (...args: string[]) => settle('undo', 'resolve', gid, ...why, ...args);
    for (const [args, code] of [
      [[], 2],
      [['--keep', 'account'], 2],
      [['--keep', 'account 9'], 2],
      [['--merge', 'account 9'], 2],
      [['--merge', 'account 1:none'], 2],
      [['--others', 'keep', '--resource', 'none'], 3],
      [['--others', 'keep', '--seen', 'a'.repeat(64)], 4],
      [['--keep', 'account 2'], 4],
    ] as const) {
      expect(await resolve(...args), args.join(' ')).toMatchObject({ code });
    }
    const before = await db.rowsOf('account');
    // The cents are the transaction's own, the note is of somebody else.
    const merge = ['--merge', 'account 1'];
    const dry = await resolve(...merge, '--dry-run');
    expect(dry.stdout.replaceAll(/ +/g, ' ')).toContain(
      'public.account ["1"] merge\n COLUMN FROM TO\n cents 900 1000\n',
    );
    expect(await db.rowsOf('account')).toEqual(before);
    const [, seen = ''] = /^seen ([0-9a-f]{64})$/m.exec(dry.stdout) ?? [];
    expect(seen).toBe(json.resources[0].seen);

    // What an explanation advises is taken as a shell gives it.
    const { remedies } = JSON.parse((await settle('tx', 'explain', gid, '--json')).stdout);
    const advised = remedies.flatMap(({ command }: { command: string | null }) =>
      command?.includes('undo resolve') ? [command] : [],
    );
    expect(advised).toHaveLength(3);
    for (const command of advised) {
      const words = execFileSync('sh', ['-c', `printf '%s\n' ${command}`], { encoding: 'utf8' });
      const args = words.trim().split('\n').slice(1);
      expect(await settle(...args, '--dry-run'), command).toMatchObject({ code: 0 });
    }
    expect(await db.rowsOf('account')).toEqual(before);

    const merged = await resolve(...merge, '--json', '--seen', seen);
    expect(merged.code, merged.stderr).toBe(0);
    expect(JSON.parse(merged.stdout)).toMatchObject({ dryRun: false, rowsTotal: 2 });
    expect(await operator.finished(gid)).toMatchObject({ phase: 'rolledBack' });
    expect(await db.rowsOf('account')).toEqual(['(1,1000,mine)', '(2,500,)', '(3,0,third)']);
    const { auditSeq } = JSON.parse(merged.stdout);
    expect(merged.stderr).toContain(`On the record: audit ${auditSeq}.`);
    expect((await settle('audit', 'list')).stdout).toMatch(/eve +undo\.resolve +done +\d+ +g-/);
    expect(await settle('audit', 'verify')).toMatchObject({ code: 0 });
  });

  it('exports it with values masked or not, and says when a participant cannot be asked', async () => {
    const { gid, service, client } = await dirtied();
    const file = join(folder.path, 'bundle.json');
    await settle('tx', 'export', gid, '--out', file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const masked = JSON.parse(readFileSync(file, 'utf8'));
    expect(masked).toMatchObject({ isMasked: true, transaction: { gid } });
    expect(masked.undo[0].rows[0]).toMatchObject({
      differing: ['note'],
      before: { cents: '***', note: '***' },
      current: { note: '***' },
    });
    const whole = JSON.parse((await settle('tx', 'export', gid, '--with-payloads')).stdout);
    expect(whole.undo[0].rows[0].current).toEqual({ id: '1', cents: '900', note: 'mine' });

    await client.close();
    const away = await settle('undo', 'diff', gid);
    expect(away.code).toBe(4);
    expect(away.stdout).toContain('METHOD_NOT_OFFERED');
    expect(await settle('lock', 'list', service, 'bank')).toMatchObject({ stdout: '' });
  });
});
