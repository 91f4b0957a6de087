/**
 * The bank, for half a minute: real processes and databases, killed, frozen and cut off by a fixed
 * timetable, and not a cent lost. Longer plans are run by `npm run bank`.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const command = join(import.meta.dirname, 'bank', 'main.ts');
/** Says the command when a database server is missing. */
const exitMissing = 3;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runBank(...flags: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [command, ...flags], (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

test('a short plan of faults: all or nothing for every transfer', async ({ skip }) => {
  const { code, stdout, stderr } = await runBank('--minutes', '0.4', '--seed', '11', '--json');
  if (code === exitMissing) {
    if (process.env['CI'] === 'true') throw new Error(stderr);
    process.stderr.write(`\n${stderr}\n`);
    skip(stderr);
  }
  expect(code, stderr).toBe(0);
  const counts: unknown = JSON.parse(stdout);
  expect(counts).toEqual({
    transfers: expect.any(Number),
    committed: expect.any(Number),
    rolledBack: expect.any(Number),
    unknown: expect.any(Number),
    kills: expect.any(Number),
    violations: 0,
    kinds: {
      tcc: countsOf(),
      saga: countsOf(),
      at: { ...countsOf(), lockConflicts: expect.any(Number), undone: expect.any(Number) },
    },
  });
  expect(counts).not.toMatchObject({ committed: 0 });
  expect(counts).not.toMatchObject({ rolledBack: 0 });
  expect(counts).not.toMatchObject({ kinds: { at: { committed: 0 } } });
}, 240_000);

function countsOf() {
  const count: unknown = expect.any(Number);
  return { transfers: count, committed: count, rolledBack: count, unknown: count };
}

test('wrong flags: how it is used, exit code 2', async () => {
  const { code, stderr } = await runBank('--break', 'everything');
  expect(code).toBe(2);
  expect(stderr).toContain('usage: npm run bank');
});
