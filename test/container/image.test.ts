/**
 * The image of docs/operations/Dockerfile, built and run as a stranger would: it holds what runs and
 * nothing else, becomes ready on an embedded log and on PostgreSQL, lets nobody in without a token,
 * shows the console, keeps what it has written, and ends in peace when it is told to.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOn, skipSuite } from '../support/databases.ts';
import { baseImage, missingForBase } from './base-image.ts';
import { openPodman, type Podman, type RunningContainer } from './podman.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const operations = join(root, 'docs', 'operations');
const image = 'localhost/settle';
/** Of the image without its base: packages 35 MB, our own sources 3 MB, the console. */
const ownBytesMax = 64 * 1024 * 1024;
const user = 10_001;
/** As in compose.yaml; a container that needs longer is killed, and ends with 137. */
const stopSeconds = '20';

const opened = (await missingForBase()) ?? (await openPodman());
if (typeof opened === 'string') skipSuite('the image', opened);
else {
  describe(`the image (storage ${opened.driver})`, async () => {
    let base = '';
    const tokens = { alice: '', shop: '' };
    beforeAll(async () => {
      base = await baseImage(opened);
      await build(opened, base);
      await makeTokens(opened, tokens);
    }, 900_000);
    afterAll(() => opened.close());
    describeImage(opened, () => base);
    describeEmbedded(opened, tokens);
    await describeOn('postgres', (postgres) => {
      test('becomes ready, once the log is migrated, and ends when it is told to', async () => {
        const url = await postgres.newDatabase();
        // The server is on this machine's loopback, so the container is put there, too.
        const host = [
          '--network',
          'host',
          '-e',
          'SETTLE_HOST=127.0.0.1',
          '-e',
          `SETTLE_LOG=${url}`,
        ];
        const migrated = await opened.start('migrate', [...host, image, 'migrate']).ended;
        expect(migrated, migrated.stderr).toMatchObject({ code: 0 });
        const port = ['-e', `SETTLE_PORT=${await freePort()}`];
        const server = await serve(opened, [...host, ...port]);
        await expectReady(server, tokens);
        await stop(opened, server);
      });
    });
  });
}

function describeImage(podman: Podman, base: () => string): void {
  test('says to the engine how it is run, and as whom', async () => {
    const [{ Config: config, Healthcheck: health }] = await inspect(podman, image);
    expect(config).toMatchObject({
      User: `${user}:${user}`,
      Entrypoint: ['node', '/opt/settle/server/cli/main.ts'],
      Cmd: ['server'],
      ExposedPorts: { '7400/tcp': {} },
      Volumes: { '/var/lib/settle': {} },
      StopSignal: 'SIGTERM',
    });
    expect(health.Test.slice(0, 3)).toEqual(['CMD', 'node', '-e']);
  });

  test('is small: its layers over the base hold only what runs', async () => {
    const [[whole], [below]] = await Promise.all([inspect(podman, image), inspect(podman, base())]);
    expect(whole.Size - below.Size).toBeLessThan(ownBytesMax);
    const looked = await inImage(podman, listing);
    const { settle, console, packages, settings, writable } = JSON.parse(looked) as Listing;
    const folders = ['client-sdk', 'migrations', 'node_modules', 'server'];
    expect(settle).toEqual([...folders, 'package-lock.json', 'package.json'].toSorted());
    expect(console).toEqual(['dist']);
    for (const name of ['vite', 'vitest', 'typescript', 'preact']) {
      expect(packages).not.toContain(name);
    }
    // What the builder was lent stays with the builder.
    expect(settings).toEqual([]);
    expect(writable).toEqual([]);
  });

  test('refuses to listen to everybody without tokens, and says how to make them', async () => {
    const { code, stderr } = await podman.start('stranger', ['--network', 'none', image]).ended;
    expect(code).toBe(2);
    expect(stderr).toContain('settle token');
  });
}

function describeEmbedded(podman: Podman, tokens: Tokens): void {
  test('embedded log: ready, healthy, and a transaction outlives the container', async () => {
    const place = ['--network', 'none', '-v', 'settle-log:/var/lib/settle'];
    const first = await serve(podman, place);
    await expectReady(first, tokens);
    const begun = await first.ask('POST', '/v1/transactions', tokens.shop, {
      ...{ gid: 'image-1', name: 'kept', timeoutMs: 3_600_000 },
    });
    expect(begun.status, begun.text).toBeLessThan(300);
    await stop(podman, first);
    const second = await serve(podman, place);
    const found = await second.ask('GET', '/v1/transactions/image-1', tokens.alice);
    expect(JSON.parse(found.text)).toMatchObject({ gid: 'image-1', name: 'kept' });
    await stop(podman, second);
  });
}

interface Tokens {
  readonly alice: string;
  readonly shop: string;
}

/** A server in a container, once it serves, and a way to ask it from inside. */
interface Server {
  readonly container: RunningContainer;
  readonly podman: Podman;
  ask(method: 'GET' | 'POST', path: string, token?: string, body?: object): Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly policy: string | null;
  readonly text: string;
}

/** Builds the image. The registry and the certificates of this machine's npm are lent to the build. */
async function build(podman: Podman, base: string): Promise<void> {
  await podman.output(
    ...['build', '--isolation', 'chroot', '--network', 'host', '--layers=false'],
    // The other format knows no health check.
    ...['--format', 'docker', '--build-arg', `BASE=${base}`, ...(await lentToNpm(podman))],
    ...['--ignorefile', join(operations, 'Dockerfile.dockerignore')],
    ...['-f', join(operations, 'Dockerfile'), '-t', image, root],
  );
}

async function lentToNpm(podman: Podman): Promise<readonly string[]> {
  const setting = async (name: string) => {
    const { stdout } = await run('npm', ['config', 'get', name], { cwd: podman.folder });
    return stdout.trim();
  };
  const [registry, authorities] = await Promise.all([setting('registry'), setting('cafile')]);
  const hasAuthorities = authorities !== 'null' && authorities !== '';
  const inside = '/run/settle-npm-ca.pem';
  const npmrc = join(podman.folder, 'npmrc');
  await writeFile(npmrc, `registry=${registry}\n${hasAuthorities ? `cafile=${inside}\n` : ''}`);
  const files = [`${npmrc}:/usr/local/etc/npmrc:ro`];
  if (hasAuthorities) files.push(`${authorities}:${inside}:ro`);
  return files.flatMap((file) => ['--volume', file]);
}

/** Made by the command in the image, as its operator would; the file is for its user alone. */
async function makeTokens(podman: Podman, tokens: { -readonly [Name in keyof Tokens]: string }) {
  const entries: object[] = [];
  for (const [name, role] of [['alice', 'operator'] as const, ['shop', 'service'] as const]) {
    const args = ['--network', 'none', image, 'token', name, '--role', role, '--json'];
    const { stdout, stderr } = await podman.start(`token-${name}`, args).ended;
    expect(stdout, stderr).toContain('sha256');
    const made = JSON.parse(stdout) as { readonly token: string; readonly entry: object };
    tokens[name] = made.token;
    entries.push(made.entry);
  }
  const file = tokensFile(podman);
  await mkdir(join(podman.folder, 'secrets'));
  await writeFile(file, JSON.stringify(entries));
  await chmod(file, 0o400);
  await chown(file, user, user);
}

const tokensFile = (podman: Podman): string => join(podman.folder, 'secrets', 'tokens.json');

/** Starts the server with tokens, where compose.yaml puts them, and waits until it serves. */
async function serve(podman: Podman, args: readonly string[]): Promise<Server> {
  const secret = ['-v', `${tokensFile(podman)}:/run/secrets/tokens:ro`];
  const env = ['-e', 'SETTLE_TOKENS=/run/secrets/tokens', '-e', 'SETTLE_NODE=image'];
  const container = podman.start('settle', [...secret, ...env, ...args, image]);
  await container.line(/the coordinator serves/);
  return {
    container,
    podman,
    async ask(method, path, token, body) {
      const question = JSON.stringify({ method, path, token, body });
      const asked = await podman.output('exec', container.name, 'node', '-e', asking, question);
      return JSON.parse(asked) as Answer;
    },
  };
}

const asking = `
const { method, path, token, body } = JSON.parse(process.argv[1]);
const headers = token === undefined ? {} : { authorization: 'Bearer ' + token };
if (body !== undefined) headers['content-type'] = 'application/json';
fetch('http://127.0.0.1:' + process.env.SETTLE_PORT + path, {
  method, headers, body: JSON.stringify(body),
}).then(async (answer) => console.log(JSON.stringify({
  status: answer.status,
  policy: answer.headers.get('content-security-policy'),
  text: await answer.text(),
})));`;

async function expectReady(server: Server, tokens: Tokens): Promise<void> {
  const { podman, container } = server;
  const health = await podman.run('healthcheck', 'run', container.name);
  expect(health, health.stderr).toMatchObject({ code: 0 });
  expect(await server.ask('GET', '/healthz')).toMatchObject({ status: 200 });
  expect(await server.ask('GET', '/readyz')).toMatchObject({ status: 200 });
  expect(await server.ask('GET', '/v1/transactions')).toMatchObject({ status: 401 });
  const listed = await server.ask('GET', '/v1/transactions', tokens.alice);
  expect(listed, listed.text).toMatchObject({ status: 200 });
  const page = await server.ask('GET', '/console');
  expect(page).toMatchObject({ status: 200, policy: expect.stringContaining("'self'") });
  const [, script = ''] = /<script[^>]* src="([^"]+)"/.exec(page.text) ?? [];
  expect(await server.ask('GET', script)).toMatchObject({ status: 200 });
}

/** Tells it to stop; the engine would kill it after the grace, and the code would be 137. */
async function stop(podman: Podman, { container }: Server): Promise<void> {
  await podman.output('stop', '--time', stopSeconds, container.name);
  const { code, stderr } = await container.ended;
  expect(code, stderr).toBe(0);
}

interface Inspected {
  readonly Size: number;
  readonly Config: object;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

/** Of an image. */
async function inspect(podman: Podman, name: string): Promise<readonly [Inspected]> {
  return JSON.parse(await podman.output('image', 'inspect', name)) as [Inspected];
}

interface Listing {
  readonly settle: readonly string[];
  readonly console: readonly string[];
  readonly packages: readonly string[];
  readonly settings: readonly string[];
  readonly writable: readonly string[];
}

/** Run in the image by its user, who may write to nothing there but the folder of the log. */
const listing = `
const { accessSync, constants, existsSync, readdirSync } = require('node:fs');
const of = (path) => readdirSync(path).sort();
const canWrite = (path) => {
  try { accessSync(path, constants.W_OK); return true; } catch { return false; }
};
const ours = readdirSync('/opt/settle', { recursive: true }).map((path) => '/opt/settle/' + path);
console.log(JSON.stringify({
  settle: of('/opt/settle'),
  console: of('/opt/settle/server/console'),
  packages: of('/opt/settle/node_modules'),
  settings: ['/usr/local/etc/npmrc', '/run/settle-npm-ca.pem'].filter(existsSync),
  writable: ours.filter((path) => existsSync(path) && canWrite(path)),
}));`;

/** What a program prints that runs in the image, whose file system is left writable for that. */
async function inImage(podman: Podman, program: string): Promise<string> {
  const limits = ['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=1024:1024'];
  const place = ['--rm', '--network', 'none', '--entrypoint', 'node'];
  return await podman.output('run', ...limits, ...place, image, '-e', program);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
