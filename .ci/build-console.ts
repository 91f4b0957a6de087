/**
 * Builds the web console: `server/console` becomes the static files in `server/console/dist` that the
 * server serves at `/console`. Run by `npm run build:console`, and by `npm run build` before it packs.
 */
import { join } from 'node:path';
import { build } from 'vite';

const source = join(import.meta.dirname, '..', 'server', 'console');

await build({
  configFile: false,
  root: source,
  base: '/console/',
  publicDir: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: join(source, 'dist'),
    emptyOutDir: true,
    target: 'es2022',
    // Nothing may be inline: the page's policy takes scripts, styles and images from files only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'license.md' },
  },
});
