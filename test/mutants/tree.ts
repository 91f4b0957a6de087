/**
 * A private copy of the sources in a temporary folder, where bugs are planted. Invariant: nothing is
 * ever written to the working tree, nor to its node_modules.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The root of the working tree. */
export const root = join(import.meta.dirname, '..', '..');

const copied = ['client-sdk', 'server', 'migrations', 'test', 'package.json', 'vitest.config.ts'];

/** A copy of the tree. */
export interface Tree {
  readonly folder: string;
  read(file: string): string;
  write(file: string, text: string): void;
  /** Safe to repeat. */
  remove(): void;
}

/** Copies what the suites need. Synchronous, so that all copies are of one moment. */
export function copyTree(): Tree {
  const folder = mkdtempSync(join(tmpdir(), 'settle-mutants-'));
  for (const name of copied) {
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      filter: (path) => !path.endsWith('node_modules'),
    });
  }
  linkModules(folder);
  return {
    folder,
    read: (file) => readFileSync(join(folder, file), 'utf8'),
    write: (file, text) => writeFileSync(join(folder, file), text),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A folder of links, not one link: tools keep caches beside the packages, and ours are sources. */
function linkModules(folder: string): void {
  const from = join(root, 'node_modules');
  const to = join(folder, 'node_modules');
  mkdirSync(join(to, '@settle'), { recursive: true });
  for (const name of readdirSync(from)) {
    if (name === '@settle' || (name.startsWith('.') && name !== '.bin')) continue;
    symlinkSync(join(from, name), join(to, name));
  }
  symlinkSync(join(folder, 'client-sdk'), join(to, '@settle', 'client'));
  symlinkSync(join(folder, 'server'), join(to, '@settle', 'server'));
  for (const workspace of ['client-sdk', 'server']) {
    const own = join(root, workspace, 'node_modules');
    if (existsSync(own)) symlinkSync(own, join(folder, workspace, 'node_modules'));
  }
}
