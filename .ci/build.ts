/**
 * Builds what is published: `dist/client` (@settle/client) and `dist/server` (@settle/server), plain
 * JavaScript with declarations, made by tsc. The server carries the protocol, the migrations and the
 * console it was built with. Run by `npm run build`; publish with `npm publish dist/client`, `npm publish dist/server`.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Manifest = Record<string, unknown> & {
  readonly exports?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
};

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const tree = join(dist, 'tree');

rmSync(dist, { recursive: true, force: true });
const tsc = join(root, 'node_modules', '.bin', 'tsc');
execFileSync(tsc, ['-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit', cwd: root });

pack('client', ['client-sdk'], '', (manifest) => ({
  ...manifest,
  exports: Object.fromEntries(
    Object.entries(manifest.exports ?? {}).map(([name, file]) => [
      name,
      { types: file.replace(/\.ts$/, '.d.ts'), default: file.replace(/\.ts$/, '.js') },
    ]),
  ),
}));
pack('server', ['server', 'client-sdk', 'migrations'], 'folders', (manifest) => ({
  ...manifest,
  bin: { settle: './server/cli/main.js' },
}));
const consoleTarget = join(dist, 'server/server/console/dist');
const consoleBuild = [join(import.meta.dirname, 'build-console.ts'), consoleTarget];
execFileSync(process.execPath, consoleBuild, { stdio: 'inherit', cwd: root });
for (const set of ['coordinator', 'participant']) {
  const source = join(root, 'migrations', set);
  cpSync(source, join(dist, 'server', 'migrations', set), { recursive: true });
}
rmSync(tree, { recursive: true });

/** `layout` empty: the first folder is the package itself; `folders`: they lie side by side in it. */
function pack(
  name: 'client' | 'server',
  folders: readonly string[],
  layout: '' | 'folders',
  rewritten: (manifest: Manifest) => Manifest,
): void {
  const target = join(dist, name);
  mkdirSync(target);
  for (const folder of folders) {
    const place = layout === '' ? target : join(target, folder);
    cpSync(join(tree, folder), place, { recursive: true });
  }
  const source = join(root, folders[0] ?? '', 'package.json');
  const manifest = rewritten(JSON.parse(readFileSync(source, 'utf8')) as Manifest);
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const file of ['LICENSE', 'README.md']) cpSync(join(root, file), join(target, file));
}
