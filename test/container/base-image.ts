/**
 * The base image for a test of our Dockerfile: what `SETTLE_TEST_BASE_IMAGE` names, or, with no
 * registry of images in reach, a small Debian made by debootstrap with the Node that runs this test
 * and its npm. Nothing of the machine's settings gets into it.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, realpath, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Podman } from './podman.ts';

const run = promisify(execFile);

const debian = { suite: 'bookworm', mirror: 'http://deb.debian.org/debian' };

/** Why no base image can be made here; null: nothing stands in the way. */
export async function missingForBase(): Promise<string | null> {
  if (givenBase() !== null) return null;
  const isThere = await run('debootstrap', ['--version']).then(
    () => true,
    () => false,
  );
  return isThere ? null : 'no SETTLE_TEST_BASE_IMAGE, and debootstrap is not installed';
}

/** The name of a base image that the engine has, or can pull. A minute of work for debootstrap. */
export async function baseImage(podman: Podman): Promise<string> {
  const given = givenBase();
  if (given !== null) return given;
  const tree = join(podman.folder, 'base');
  const archive = `${tree}.tar`;
  const mirror = process.env['SETTLE_TEST_DEBIAN_MIRROR'] ?? debian.mirror;
  await run('debootstrap', ['--variant=minbase', debian.suite, tree, mirror]);
  await putNode(join(tree, 'usr', 'local'));
  // The packages that it was made of are a quarter of it.
  await rm(join(tree, 'var', 'cache', 'apt', 'archives'), { recursive: true });
  await run('tar', ['-C', tree, '-cf', archive, '.']);
  await podman.output('import', archive, 'settle-test-base');
  await rm(tree, { recursive: true });
  await rm(archive);
  return 'localhost/settle-test-base';
}

function givenBase(): string | null {
  const given = process.env['SETTLE_TEST_BASE_IMAGE'] ?? '';
  return given === '' ? null : given;
}

async function putNode(prefix: string): Promise<void> {
  const modules = join(prefix, 'lib', 'node_modules');
  await mkdir(modules, { recursive: true });
  await cp(await realpath(process.execPath), join(prefix, 'bin', 'node'));
  await cp(await npmFolder(), join(modules, 'npm'), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(prefix, 'bin', 'npm'));
}

/** `…/npm/bin/npm-cli.js` is what the command `npm` points to. */
async function npmFolder(): Promise<string> {
  const { stdout } = await run('which', ['npm']);
  return dirname(dirname(await realpath(stdout.trim())));
}
