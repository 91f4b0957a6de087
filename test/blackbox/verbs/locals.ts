/** Verbs that look at or change no transaction of others, each with its own story. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { runCommand, startCommand } from '../../support/settle-command.ts';
import type { World } from './world.ts';

type Story = (world: World) => Promise<void>;

/** Starts it in a folder of its own, waits for the line, and ends it by SIGTERM. */
function serving(verb: 'dev' | 'server', line: RegExp): Story {
  return async ({ folder }) => {
    const own = join(folder, verb);
    mkdirSync(own);
    const command = startCommand(['--no-color', verb, '--port', '0'], { folder: own });
    await command.line(line);
    command.signal('SIGTERM');
    const ended = await command.ended;
    expect(ended.code).toBe(0);
    expect(ended.stderr).toBe('settle: stopping; once more to stop at once');
    const refused = await runCommand([verb, '--log-level', 'loud'], { folder: own });
    expect(refused).toMatchObject({ code: 2, stdout: '' });
  };
}

export const locals: Readonly<Record<string, Story>> = {
  dev: serving('dev', /^Settle listens on http/),
  server: serving('server', /^\{.*"the coordinator serves"\}$/),

  async migrate({ settle }) {
    const log = ['migrate', '--log', 'sqlite:migrated.db'];
    const first = await settle(...log);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout.split('\n')[0]).toMatch(/^applied 0001_/);
    const again = await settle(...log);
    expect(again).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching('to date') });
    const printed = await settle('migrate', '--participant', 'mysql://none/x', '--print');
    expect(printed).toMatchObject({ code: 0, stdout: expect.stringContaining('create table') });
    expect(await settle('migrate')).toMatchObject({ code: 2, stdout: '' });
    const away = await settle('migrate', '--log', 'postgres://127.0.0.1:1/x');
    expect(away).toMatchObject({ code: 6, stdout: '' });
  },

  async token({ settle }) {
    const { code, stdout } = await settle('token', 'vera', '--role', 'viewer', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { token: expect.stringMatching(/^settle_/), entry: { name: 'vera', role: 'viewer' } },
    ]);
    const plain = await settle('--no-color', 'token', 'vera', '--role', 'viewer');
    expect(plain.stdout).toMatch(/^settle_\S+$/);
    expect(plain.stderr).not.toContain(plain.stdout);
    for (const args of [['vera'], ['two words', '--role', 'viewer'], ['vera', '--role', 'king']]) {
      expect(await settle('token', ...args), args.join()).toMatchObject({ code: 2, stdout: '' });
    }
  },

  async demo({ settle }) {
    const moved = await settle('demo', '--transfers', '20', '--json');
    expect(moved.code, moved.stderr).toBe(0);
    expect(JSON.parse(moved.stdout)).toMatchObject({ transfers: 20, violations: 0 });
    for (const args of [
      ['--transfers', '0'],
      ['--trouble', '--kill'],
    ]) {
      expect(await settle('demo', ...args), args.join()).toMatchObject({ code: 2, stdout: '' });
    }
  },

  async bench({ settle }) {
    const few = ['bench', '--transactions', '20', '--inflight', '4'];
    const people = await settle('--no-color', ...few);
    expect(people).toMatchObject({ code: 0, stdout: expect.stringMatching(/^committed +20 in /) });
    expect(people.stderr).toContain('transactions: 20 of 20');
    const { code, stdout } = await settle(...few, '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { transactions: 20, inflight: 4, committed: 20, failed: 0, firstError: null },
    ]);
    expect(await settle('bench', '--transactions', '0')).toMatchObject({ code: 2, stdout: '' });
  },

  async completion({ settle }) {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout, stderr } = await settle('completion', shell);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toContain('undrain');
    }
    expect(await settle('completion', 'cmd')).toMatchObject({ code: 2, stdout: '' });
  },
};
