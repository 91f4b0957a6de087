/**
 * Finds programs of database servers on this machine, and the user to run them as. Starts nothing
 * but `id`. The tests of this repository look for their servers by the same functions.
 */
import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian keeps server programs outside of the path, by version; the newest first. */
export async function versionFolders(root: string, inner: string): Promise<readonly string[]> {
  const versions = await readdir(root).catch(() => []);
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, inner));
}

/** The program's file: in the path, where servers are kept, or in `extra`; null: nowhere. */
export async function findProgram(
  name: string,
  extra: readonly string[] = [],
): Promise<string | null> {
  const path = (process.env['PATH'] ?? '').split(delimiter);
  for (const folder of [...path, '/usr/sbin', '/usr/local/sbin', ...extra]) {
    const file = join(folder, name);
    if (folder !== '' && (await isExecutable(file))) return file;
  }
  return null;
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Whom to become when root: the first of the users that exists; null when we are not root. */
export async function unprivilegedUser(
  users: readonly string[],
): Promise<{ readonly uid: number; readonly gid: number } | null> {
  if (process.getuid?.() !== 0) return null;
  for (const user of users) {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => numberOf(flag, user)));
    if (uid !== undefined && gid !== undefined && uid >= 0 && gid >= 0) return { uid, gid };
  }
  throw new Error(`none of the users ${users.join(', ')} exists`);
}

function numberOf(flag: string, user: string): Promise<number> {
  return run('id', [flag, user]).then(
    ({ stdout }) => Number(stdout),
    () => -1,
  );
}
