/**
 * `/console`: the built files of the web console (`server/console`). They hold no secret, so they need
 * no token; what they show comes from `/v1`. Guards: only files that the build has made are served, by
 * exact name; no script and no style runs that is not one of them.
 */
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** Where `npm run build:console` puts them; the published server carries them in the same place. */
export const consoleFolder = join(import.meta.dirname, '..', 'console', 'dist');

interface BuiltFile {
  readonly type: string;
  readonly bytes: Buffer;
}

interface Build {
  /** When its index was written: another one means that it was built anew. */
  readonly builtAtMs: number;
  /** By path under the folder, with slashes. */
  readonly files: ReadonlyMap<string, BuiltFile>;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.md': 'text/plain; charset=utf-8',
};

const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const notBuilt = [
  '<!doctype html><html lang="en"><meta charset="utf-8"><title>Settle: console</title>',
  '<h1>The console is not built yet</h1>',
  '<p>Run <code>npm run build:console</code> in the repository, then load this page again.',
  'Everything that it shows is at <a href="/openapi.json">/v1</a>, too.</p></html>',
].join('\n');

/** Adds the routes. `folder` need not be there yet. */
export function serveConsole(app: FastifyInstance, folder: string): void {
  let build: Build | null = null;

  /** Read once, into memory: all of it is a few hundred KiB. */
  function current(): Build | null {
    const builtAtMs = writtenAtMs(join(folder, 'index.html'));
    if (builtAtMs === null) return null;
    if (build?.builtAtMs !== builtAtMs) build = { builtAtMs, files: readFiles(folder) };
    return build;
  }

  function index(reply: FastifyReply): FastifyReply {
    const page = current()?.files.get('index.html');
    guarded(reply).header('cache-control', 'no-cache');
    if (page === undefined)
      return reply
        .code(503)
        .type(types['.html'] ?? '')
        .send(notBuilt);
    return reply.type(page.type).send(page.bytes);
  }

  app.get('/console', async (_request, reply) => index(reply));
  app.get('/console/*', async (request, reply) => {
    const { '*': path } = request.params as { readonly '*': string };
    // Names of assets carry their hash; every other address is a screen, and the index shows it.
    if (!path.startsWith('assets/')) return index(reply);
    const file = (build ?? current())?.files.get(path);
    if (file === undefined) return reply.callNotFound();
    guarded(reply).header('cache-control', 'public, max-age=31536000, immutable');
    return reply.type(file.type).send(file.bytes);
  });
}

function guarded(reply: FastifyReply): FastifyReply {
  return reply.headers({
    'content-security-policy': contentPolicy,
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  });
}

function readFiles(folder: string): ReadonlyMap<string, BuiltFile> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(entries.filter((entry) => entry.isFile()).map((entry) => fileIn(folder, entry)));
}

function fileIn(folder: string, entry: Dirent): readonly [string, BuiltFile] {
  const path = join(entry.parentPath, entry.name);
  const type = types[extname(entry.name)] ?? 'application/octet-stream';
  return [relative(folder, path).split(sep).join('/'), { type, bytes: readFileSync(path) }];
}

function writtenAtMs(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
}
