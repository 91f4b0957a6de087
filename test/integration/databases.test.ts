/** The servers that tests are given, with real ones: databases apart, hurt and healed, gone at the end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeOnOwn, type StoreName } from '../support/databases.ts';

const child = fileURLToPath(new URL('../support/provide-child.ts', import.meta.url));

/** A connection to the server, once it is open. */
async function connected(url: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  return socket.on('error', () => undefined).resume();
}

/** Not once(): a connection may end with an error, and that is an end too. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function untilGone(path: string): Promise<void> {
  const isThere = () =>
    stat(path).then(
      () => true,
      () => false,
    );
  while (await isThere());
}

for (const store of ['postgres', 'mysql', 'redis'] as const satisfies readonly StoreName[]) {
  await describeOnOwn(store, (server) => {
    it('makes databases apart', async () => {
      const urls = await Promise.all([server.newDatabase(), server.newDatabase()]);
      expect(new Set([server.url, ...urls]).size).toBe(3);
    });

    it('dies at once and comes back on the same port', async () => {
      const socket = await connected(server.url);
      const closed = closing(socket);
      await server.control.kill();
      await closed;
      await expect(connected(server.url)).rejects.toThrow('ECONNREFUSED');
      await server.control.restart();
      (await connected(server.url)).destroy();
    });

    it.runIf(server.source === 'program')(
      'is gone after kill -9 of whoever started it',
      async () => {
        const starter = spawn(process.execPath, [child, store], {
          stdio: ['pipe', 'pipe', 'inherit'],
          env: { ...process.env, DOCKER_HOST: 'unix:///nowhere' },
        });
        const [line] = await once(createInterface({ input: starter.stdout }), 'line');
        const [url = '', folder = ''] = String(line).split(' ');
        const closed = closing(await connected(url));
        starter.kill('SIGKILL');
        await closed;
        await untilGone(folder);
        await expect(connected(url)).rejects.toThrow('ECONNREFUSED');
      },
    );
  });
}
