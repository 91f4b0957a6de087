/** Runs what the docs tell users to type: a shell command in the root of the repository. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { bareEnvironment } from '../support/settle-command.ts';

const root = join(import.meta.dirname, '..', '..');

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Ends with the command; its environment is ours without what belongs to the tests. */
export async function runAsUser(
  command: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const { HOME = '', TMPDIR = '/tmp' } = process.env;
  const child = spawn('bash', ['-c', `set -euo pipefail\n${command}`], {
    cwd: root,
    env: { ...bareEnvironment(), HOME, TMPDIR, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
}
