/**
 * Runs one database server in a container, through testcontainers. Whether a Docker daemon is there
 * is asked first over its socket, because loading testcontainers takes longer than starting a
 * local program does.
 */
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ServerControl } from './server-program.ts';
import type { Recipe } from './server-recipes.ts';

/** A running container. */
export interface ServerContainer {
  readonly url: string;
  readonly control: ServerControl;
  /** Removes the container. */
  stop(): Promise<void>;
}

/** True when a Docker daemon answers within two seconds. */
export async function dockerAnswers(): Promise<boolean> {
  const answers = await Promise.all(daemonAddresses().map(pings));
  return answers.includes(true);
}

type Address = { readonly socketPath: string } | { readonly host: string; readonly port: string };

function daemonAddresses(): readonly Address[] {
  const given = process.env['DOCKER_HOST'];
  if (given?.startsWith('unix://')) return [{ socketPath: given.slice('unix://'.length) }];
  if (given !== undefined && given !== '') {
    const { hostname, port } = new URL(given);
    return [{ host: hostname, port: port || '2375' }];
  }
  const runtime = process.env['XDG_RUNTIME_DIR'];
  const home = process.env['HOME'];
  return [
    '/var/run/docker.sock',
    ...(runtime === undefined ? [] : [join(runtime, 'docker.sock')]),
    ...(home === undefined ? [] : [join(home, '.docker/run/docker.sock')]),
  ].map((socketPath) => ({ socketPath }));
}

function pings(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ ...address, path: '/_ping', timeout: 2_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

/** Starts the image and resolves when the server in it takes connections. Throws when it doesn't. */
export async function startContainer(recipe: Recipe): Promise<ServerContainer> {
  const { BoundPorts, GenericContainer, Wait, getContainerRuntimeClient } = await import(
    'testcontainers'
  );
  const ready = Wait.forLogMessage(recipe.containerReady.line, recipe.containerReady.times);
  // A port of our choice, because Docker would give another one after every restart.
  const hostPort = await freeHostPort();
  const started = await new GenericContainer(process.env[recipe.imageVariable] ?? recipe.image)
    .withEnvironment({ ...recipe.containerEnvironment })
    .withExposedPorts({ container: recipe.containerPort, host: hostPort })
    .withWaitStrategy(ready)
    .withStartupTimeout(120_000)
    .start();
  const client = await getContainerRuntimeClient();
  const container = client.container.getById(started.getId());
  const ended = async () => void (await container.wait());
  return {
    url: recipe.containerUrl(started.getHost(), hostPort),
    control: {
      folder: null,
      async kill() {
        await container.kill();
        await ended();
      },
      pause: async () => void (await container.pause()),
      resume: async () => void (await container.unpause()),
      async restart() {
        const { State } = await container.inspect();
        if (State.Running) {
          await container.kill();
          await ended();
        }
        const startedAt = new Date();
        await container.start();
        // The data is there already, so the line comes once.
        const again = Wait.forLogMessage(recipe.containerReady.line, 1);
        await again.waitUntilReady(container, new BoundPorts(), startedAt);
      },
    },
    stop: async () => void (await started.stop()),
  };
}

function freeHostPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, () => {
      const address = probe.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
