/**
 * Builds the web console: `server/console` becomes the static files that the server serves at
 * `/console`. `npm run build:console` puts them where a server that runs from the sources looks for
 * them; `npm run build` names the folder of its package, and leaves those that may be served just now.
 *
 * A server may serve the folder meanwhile, and others may build into it: there is an index at all
 * times, and what it names is there, whole.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build } from 'vite';

const source = join(import.meta.dirname, '..', 'server', 'console');
const [, , target = join(source, 'dist')] = process.argv;
const index = 'index.html';

// Beside it, so that a file gets there by a rename: with all of its bytes or not at all.
mkdirSync(dirname(target), { recursive: true });
const made = mkdtempSync(`${target}.`);
try {
  await build({
    configFile: false,
    root: source,
    base: '/console/',
    publicDir: false,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: made,
      emptyOutDir: true,
      target: 'es2022',
      // Nothing may be inline: the page's policy takes scripts, styles and images from files only.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      license: { fileName: 'license.md' },
    },
  });
  const files = filesIn(made);
  for (const file of files) if (file !== index) put(file);
  put(index);
  for (const file of filesIn(target)) {
    // Somebody else who builds may have taken it away.
    if (!files.includes(file)) rmSync(join(target, file), { force: true });
  }
} finally {
  rmSync(made, { recursive: true });
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(relative(folder, entry.parentPath), entry.name));
}

function put(file: string): void {
  const [from, to] = [join(made, file), join(target, file)];
  // One that is there stays: whoever reads it just now need not know of us.
  if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return;
  mkdirSync(dirname(to), { recursive: true });
  renameSync(from, to);
}
