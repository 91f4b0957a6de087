/** Runs one child program to its end, or to its time limit. */
import { spawn } from 'node:child_process';

/** How a child ended. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** It was still running at its time limit, and was killed with all that it had started. */
  readonly isLate: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

const keptCharsMax = 200_000;

/** Runs Node with the arguments in the folder. Never rejects for what the child does. */
export function runNode(folder: string, args: readonly string[], limitMs: number): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  // A group of its own, so that a time limit ends what the child has started, too.
  const child = spawn(process.execPath, args, {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let isLate = false;
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-keptCharsMax);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-keptCharsMax);
  });
  const stopGroup = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The group is gone already.
    }
  };
  const timer = setTimeout(() => {
    isLate = true;
    stopGroup();
  }, limitMs);
  process.once('exit', stopGroup);
  child.once('error', reject);
  child.once('close', (exitCode) => {
    clearTimeout(timer);
    process.off('exit', stopGroup);
    resolve({ exitCode, isLate, stdout, stderr });
  });
  return promise;
}
