/**
 * The desk of operators as its user meets it: a coordinator that is a process, participants that
 * break and are mended, and the command line as real processes. Every verb that changes something
 * is looked at from three sides: its exit code, that a dry run changes nothing, that the audit grew.
 */

import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditView, TransactionView } from '../../client-sdk/protocol/index.ts';
import { createApiClient } from '../../server/cli/api-client.ts';
import { change } from '../../server/cli/change.ts';
import type { Terminal } from '../../server/cli/terminal.ts';
import { HttpParticipant } from '../support/http-participant.ts';
import {
  type Ended,
  runCommand,
  scratchFolder,
  startServerCommand,
} from '../support/settle-command.ts';

let folder: Awaited<ReturnType<typeof scratchFolder>>;
let bank: HttpParticipant;
let server: Awaited<ReturnType<typeof startServerCommand>>;

beforeAll(async () => {
  folder = await scratchFolder();
  bank = await HttpParticipant.open();
  // Nothing is asked a second time by itself: what comes through was asked by an operator. Jitter is full,
  // so a wait of a minute was over in a test's seconds once in a while.
  const patience = ['--retry-initial', '24h', '--retry-max', '24h'];
  const args = [...patience, '--allow-callback', bank.origin];
  server = await startServerCommand(args, { folder: folder.path });
});

afterAll(async () => {
  server.signal('SIGKILL');
  await server.ended;
  await bank.close();
  await folder.remove();
});

const settle = (...args: string[]): Promise<Ended> =>
  runCommand(args, { folder: folder.path, env: { SETTLE_URL: server.url, USER: 'eve' } });
const linesOf = ({ stdout }: Ended) => stdout.split('\n').map((line) => JSON.parse(line));
const why = ['--reason', 'ticket 7'];

async function ask(path: string, body?: object) {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const answer = await fetch(`${server.url}${path}`, body === undefined ? {} : init);
  return (await answer.json()) as TransactionView;
}

const read = (gid: string) => ask(`/v1/transactions/${gid}`);
const completed = (gid: string) => ask(`/v1/transactions/${gid}?wait=completed&waitMs=60000`);

async function begin(name: string, ...gids: readonly string[]): Promise<void> {
  const participant = { url: `${bank.origin}/debit` };
  for (const gid of gids) {
    await ask('/v1/transactions', {
      gid,
      name,
      branches: [{ participant, payload: { cents: 5 } }],
    });
  }
}

function breakBank(): void {
  bank.respond = (response) => {
    response.statusCode = 500;
    response.end('the vault is locked');
  };
}

function mendBank(): void {
  bank.respond = (response) => void response.end();
}

/** Committing, and asked once in vain. */
async function stuck(name: string, ...gids: readonly string[]): Promise<void> {
  breakBank();
  await begin(name, ...gids);
  for (const gid of gids) {
    await ask(`/v1/transactions/${gid}/commit`, { wait: 'decided' });
    while ((await read(gid)).branches[0]?.lastError === null);
  }
}

async function audit(): Promise<readonly AuditView[]> {
  const answer = await fetch(`${server.url}/v1/audit?limit=256`);
  return ((await answer.json()) as { entries: readonly AuditView[] }).entries;
}

describe('transactions of a participant that is broken', () => {
  it('are found, shown, retried by a query once it is mended, and all of it is on the record', async () => {
    await stuck('transfer', 't1', 't2', 't3');
    const listed = linesOf(await settle('tx', 'list', '--json', '--name', 'transfer'));
    expect(listed.map(({ gid }) => gid).sort()).toEqual(['t1', 't2', 't3']);
    const shown = await settle('tx', 'show', 't1');
    expect(shown.stdout).toMatch(/^└─ 1 +tcc +http:\S+debit +asked +confirm +1 +in \d+/m);
    expect(shown.stdout).toContain('500');

    const before = (await audit()).length;
    const dry = await settle('tx', 'retry', '--name', 'transfer', '--dry-run', '--json', ...why);
    expect(dry).toMatchObject({ code: 0, stderr: expect.stringContaining('3 transactions found') });
    expect(linesOf(dry)).toMatchObject([{ auditSeq: null, dryRun: true, matched: 3 }]);
    const unasked = await settle('tx', 'retry', '--name', 'transfer', ...why);
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect((await audit()).length).toBe(before);
    expect((await read('t1')).branches[0]).toMatchObject({ attempts: 1 });

    mendBank();
    const done = await settle('tx', 'retry', '--name', 'transfer', '--yes', '--json', ...why);
    expect(done.code, done.stderr).toBe(0);
    expect(linesOf(done)).toMatchObject([{ auditSeq: before + 1, dryRun: false, matched: 3 }]);
    for (const gid of ['t1', 't2', 't3']) {
      expect(await completed(gid)).toMatchObject({ phase: 'committed' });
    }
    const [after, asked] = await audit();
    expect(asked).toMatchObject({ who: 'eve', action: 'tx.retry', reason: 'ticket 7' });
    expect(after).toMatchObject({ stage: 'done', of: before + 1 });
  });

  it('are refused one by one: the exit code of the one, or 4 when some are', async () => {
    await stuck('single', 's1');
    expect(await settle('tx', 'retry', 'nothing', ...why)).toMatchObject({ code: 3 });
    const some = await settle('tx', 'retry', 's1', 'nothing', '--json', ...why);
    expect(some.code).toBe(4);
    expect(linesOf(some)[0].results).toMatchObject([
      { gid: 's1', error: null },
      { gid: 'nothing', error: { code: 'NOT_FOUND' } },
    ]);
    expect(await settle('tx', 'rollback', 's1', ...why)).toMatchObject({ code: 4 });
    for (const args of [['t1'], ['s1', '--all'], [], ['a/b']]) {
      const reason = args[0] === 't1' ? [] : why;
      expect(await settle('tx', 'resolve', ...args, ...reason)).toMatchObject({ code: 2 });
    }
  });

  it('are rolled back while nothing is decided, and nobody else is', async () => {
    mendBank();
    await begin('abandoned', 'a1');
    const dry = await settle('tx', 'rollback', 'a1', '--dry-run', ...why);
    expect(dry.stdout).toMatch(/^a1 +abandoned +active +roll/m);
    expect((await read('a1')).phase).toBe('active');
    const done = await settle('tx', 'rollback', 'a1', ...why);
    expect(done).toMatchObject({ code: 0, stderr: expect.stringMatching(/audit \d+/) });
    expect(await completed('a1')).toMatchObject({
      phase: 'rolledBack',
      cause: { kind: 'operator' },
    });
  });

  it('are ended by hand: one branch is skipped, or all that is owed counts as done', async () => {
    await stuck('poison', 'p1', 'p2');
    expect(await settle('branch', 'retry', 'p1', '1', ...why)).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^Asked; watch with: settle tx tail p1$/m),
    });
    expect(await settle('branch', 'retry', 'p1', '2', ...why)).toMatchObject({ code: 3 });
    const other = ['branch', 'skip', 'p1', '1', '--operation', 'cancel', ...why];
    expect(await settle(...other)).toMatchObject({ code: 4 });
    const before = (await audit()).length;
    const dry = await settle('branch', 'skip', 'p1', '1', '--dry-run', ...why);
    expect(dry.stdout).toMatch(/^p1 +poison +committing +committed/m);
    expect((await audit()).length).toBe(before);
    expect((await read('p1')).phase).toBe('committing');
    expect(await settle('branch', 'skip', 'p1', '1', ...why)).toMatchObject({ code: 0 });
    expect((await read('p1')).phase).toBe('committed');
    expect(await settle('branch', 'skip', 'p1', '1', ...why)).toMatchObject({ code: 4 });
    expect(await settle('tx', 'resolve', 'p2', ...why)).toMatchObject({ code: 0 });
    expect((await read('p2')).phase).toBe('committed');
    for (const again of [
      ['tx', 'retry', 'p2'],
      ['branch', 'retry', 'p2', '1'],
      ['branch', 'skip', 'p2', '1'],
    ]) {
      expect(await settle(...again, ...why), again.join(' ')).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/^settle: NOTHING_OWED: .* (It|Branch 1) is /m),
      });
    }
    expect((await settle('tx', 'show', 'p2')).stdout).toMatch(/^└─ 1 .* confirmed +- +– +-/m);
  });
});

it('names the user of the system where the environment names none', async () => {
  await begin('nameless', 'n1');
  const env = { SETTLE_URL: server.url };
  const done = await runCommand(['tx', 'rollback', 'n1', ...why], { folder: folder.path, env });
  expect(done.code, done.stderr).toBe(0);
  expect((await audit())[0]).toMatchObject({ who: userInfo().username, target: { gids: ['n1'] } });
});

describe('the audit', () => {
  it('is listed newest first, paged, and verified', async () => {
    const all = await audit();
    const listed = await settle('audit', 'list', '--json', '--limit', '3');
    expect(linesOf(listed)).toEqual(all.slice(0, 3));
    expect(listed.stderr).toMatch(/There are more: --before \d+/);
    const table = await settle('audit', 'list');
    expect(table.stdout).toMatch(/^SEQ +TIME +WHO +ACTION +STAGE +OF +TARGET +REASON/);
    expect(table.stdout).toMatch(/eve +tx\.skip +asked +p1 branch 1 +ticket 7/);
    expect(table.stdout).toMatch(/eve +tx\.skip +done +\d+ +p1 branch 1 +ticket 7/);
    expect(table.stdout).toMatch(/eve +tx\.skip +refused \(NOTHING_OWED\) +\d+ +p1 branch 1 /);
    const verified = await settle('audit', 'verify', '--json');
    expect(verified.code).toBe(0);
    expect(linesOf(verified)).toMatchObject([{ entries: all.length, brokenAt: null }]);
  });
});

describe('whoever sits at a terminal', () => {
  it.each([
    [false, 'nothing is done', 'committing'],
    [true, 'it is done', 'committed'],
  ])('is shown what would be done and asked: %s, %s', async (isYes, _, phase) => {
    const gid = `asked-${isYes}`;
    await stuck('asked', gid);
    const { terminal, said, printed } = memoryTerminal(isYes);
    const client = createApiClient(server.url, { token: null, user: 'eve' });
    const before = (await audit()).length;
    await change(
      { named: { action: 'resolve' }, target: { gids: [gid] }, client },
      { url: server.url, reason: 'ticket 7' },
      terminal,
    );
    const asked = said.join('\n');
    expect(asked).toMatch(new RegExp(`This would be done:\n.*\n${gid} +asked +committing +comm`));
    expect(asked).toContain('resolve 1 transaction?');
    expect((await read(gid)).phase).toBe(phase);
    expect((await audit()).length).toBe(isYes ? before + 2 : before);
    expect(printed.length).toBe(isYes ? 2 : 0);
    process.exitCode = 0;
  });
});

describe('tokens', () => {
  it('are read from a file or the environment, decide who may what, and are never shown', async () => {
    const inFile = { folder: folder.path };
    const made = await Promise.all(
      [
        ['adam', 'operator'],
        ['vera', 'viewer'],
      ].map(([name = '', role = '']) =>
        runCommand(['token', name, '--role', role, '--json'], inFile),
      ),
    );
    const [adam, vera] = made.map(({ stdout }) => JSON.parse(stdout));
    const tokens = join(folder.path, 'tokens.json');
    const own = join(folder.path, 'adam.token');
    writeFileSync(tokens, JSON.stringify([adam.entry, vera.entry]));
    writeFileSync(own, `${adam.token}\n`);
    const closed = await startServerCommand(['--tokens', tokens, '--log', 'sqlite:closed.db'], {
      folder: folder.path,
    });
    try {
      const run = (env: Readonly<Record<string, string>>, ...args: string[]) =>
        runCommand([...args, '--url', closed.url], { folder: folder.path, env });
      const drain = ['tx', 'retry', 'g1', ...why];
      const ends = [
        await run({}, 'tx', 'list'),
        await run({ SETTLE_TOKEN: vera.token }, 'tx', 'list'),
        await run({ SETTLE_TOKEN: vera.token }, ...drain),
        await run({ SETTLE_TOKEN: vera.token }, ...drain, '--token-file', own),
        await run({ SETTLE_TOKEN: 'two words' }, 'tx', 'list'),
        await run({}, 'tx', 'list', '--token-file', 'nothing-there'),
      ];
      expect(ends.map(({ code }) => code)).toEqual([7, 0, 7, 3, 2, 2]);
      const said = ends.map(({ stdout, stderr }) => stdout + stderr).join('\n');
      for (const secret of [adam.token, vera.token, 'two words'])
        expect(said).not.toContain(secret);
      const listed = await run({ SETTLE_TOKEN: adam.token }, 'audit', 'list', '--json');
      expect(linesOf(listed)).toMatchObject([{ who: 'adam' }, { who: 'adam' }]);
    } finally {
      closed.signal('SIGKILL');
      await closed.ended;
    }
  });
});

/** A terminal in memory, with somebody at it who always says the same. */
function memoryTerminal(isYes: boolean) {
  const said: string[] = [];
  const printed: string[] = [];
  const terminal: Terminal = {
    print: (line) => void printed.push(line),
    say: (line) => void said.push(line),
    paint: (_, text) => text,
    isAsking: true,
    isScreen: false,
    isTalkScreen: false,
    async confirm(question) {
      said.push(question);
      return isYes;
    },
    redraw: (line) => void said.push(line),
    show: (lines) => void printed.push(...lines),
    width: () => 100,
  };
  return { terminal, said, printed };
}
