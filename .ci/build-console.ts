/**
 * Builds the web console: `server/console` becomes the static files that the server serves at
 * `/console`. `npm run build:console` puts them where a server that runs from the sources looks for
 * them; `npm run build` names the folder of its package, and leaves those that may be served just now.
 */
import { join } from 'node:path';
import { build } from 'vite';

const source = join(import.meta.dirname, '..', 'server', 'console');
const [, , target = join(source, 'dist')] = process.argv;

await build({
  configFile: false,
  root: source,
  base: '/console/',
  publicDir: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: target,
    emptyOutDir: true,
    target: 'es2022',
    // Nothing may be inline: the page's policy takes scripts, styles and images from files only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'license.md' },
  },
});
