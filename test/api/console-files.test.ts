/** How the console's files are served: only what was built, by exact name, under a strict policy. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { serveConsole } from '../../server/api/console-files.ts';

let parent: string;
let folder: string;
let app: FastifyInstance;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'settle-console-'));
  folder = join(parent, 'dist');
  writeFileSync(join(parent, 'secret.txt'), 'secret');
  app = Fastify();
  serveConsole(app, folder);
});
afterEach(async () => {
  await app.close();
  rmSync(parent, { recursive: true });
});

function build(page: string, atSeconds: number): void {
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'assets', 'index-1a2b.js'), 'run()');
  writeFileSync(join(folder, 'index.html'), page);
  utimesSync(join(folder, 'index.html'), atSeconds, atSeconds);
}

const get = (url: string) => app.inject({ method: 'GET', url });

test('says what to run while nothing is built, and serves it once it is', async () => {
  const before = await get('/console');
  expect(before.statusCode).toBe(503);
  expect(before.body).toContain('npm run build:console');
  build('<p>one</p>', 1_000);
  expect((await get('/console')).body).toBe('<p>one</p>');
  build('<p>two</p>', 2_000);
  expect((await get('/console')).body).toBe('<p>two</p>');
});

test('every screen has an address of its own', async () => {
  build('<p>page</p>', 1_000);
  for (const url of ['/console', '/console/', '/console/transactions/order-17?x=1']) {
    const answer = await get(url);
    expect(answer.statusCode, url).toBe(200);
    expect(answer.body, url).toBe('<p>page</p>');
    expect(answer.headers['cache-control'], url).toBe('no-cache');
  }
});

test('assets are kept for ever; an unknown one is not found, and is no page', async () => {
  build('<p>page</p>', 1_000);
  const script = await get('/console/assets/index-1a2b.js');
  expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
  expect(script.headers['cache-control']).toContain('immutable');
  expect((await get('/console/assets/index-0000.js')).statusCode).toBe(404);
});

test('nothing outside of the folder is served, however the path is written', async () => {
  build('<p>page</p>', 1_000);
  for (const path of ['../secret.txt', '..%2fsecret.txt', '%2e%2e/secret.txt', '..%5csecret.txt']) {
    for (const start of ['/console/', '/console/assets/', '/console/assets/../']) {
      expect((await get(start + path)).body, start + path).not.toBe('secret');
    }
  }
});

test('no script and no style runs but those of the build; nobody frames the page', async () => {
  build('<p>page</p>', 1_000);
  for (const url of ['/console', '/console/assets/index-1a2b.js']) {
    const { headers } = await get(url);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("style-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['x-content-type-options']).toBe('nosniff');
  }
});
