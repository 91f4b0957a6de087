/** The endpoint `/channel` on a real server, with what a test gives it behind. */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { ClientOptions } from 'ws';
import { createAccess } from '../../server/api/access.ts';
import { attachChannel, type ChannelEndpoint } from '../../server/api/channel.ts';
import type { AttachChannel } from '../../server/api/channel-connection.ts';
import type { ChannelLimits } from '../../server/api/channel-limits.ts';
import { createValidators, type Validators } from '../../server/api/schemas.ts';
import type { Coordinator } from '../../server/engine/coordinator.ts';
import { Arrivals } from './arrivals.ts';
import { ChannelClient } from './channel-client.ts';
import { createSteppedClock, type SteppedClock } from './stepped-clock.ts';
import { unusedCoordinator } from './unused-coordinator.ts';

export interface ChannelServerOptions {
  readonly coordinator?: Partial<Coordinator>;
  readonly attach?: AttachChannel;
  readonly limits?: Partial<ChannelLimits>;
}

export class ChannelServer {
  readonly endpoint: ChannelEndpoint;
  readonly time: SteppedClock;
  readonly url: string;
  /** The server's ends of the connections. */
  readonly sockets: Arrivals<Socket>;
  /** Why connections ended, from the log. */
  readonly endings = new Arrivals<string>();
  readonly #close: () => Promise<void>;

  private constructor(options: ChannelServerOptions, parts: Listening) {
    const { server, port, sockets } = parts;
    this.time = createSteppedClock();
    this.sockets = sockets;
    this.url = `ws://127.0.0.1:${port}/channel`;
    this.endpoint = attachChannel(server, {
      coordinator: unusedCoordinator(options.coordinator),
      validators: parts.validators,
      access: createAccess([], this.time.clock),
      attach: options.attach ?? (() => silentParticipant),
      node: 'node-1',
      clock: this.time.clock,
      log: {
        debug: (fields) => this.endings.add(String('reason' in fields && fields.reason)),
        info: () => {},
      },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    this.#close = async () => {
      await this.endpoint.close();
      await new Promise((resolve) => server.close(resolve));
    };
  }

  static async open(options: ChannelServerOptions = {}): Promise<ChannelServer> {
    const server = createServer();
    const sockets = new Arrivals<Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return new ChannelServer(options, { server, port, sockets, validators: createValidators() });
  }

  /** A client that has not said hello. */
  client(options: ClientOptions = {}): ChannelClient {
    return new ChannelClient(this.url, options);
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** One for the running test, closed when the test is over. */
export async function serveChannel(options: ChannelServerOptions = {}): Promise<ChannelServer> {
  const server = await ChannelServer.open(options);
  onTestFinished(() => server.close());
  return server;
}

interface Listening {
  readonly server: ReturnType<typeof createServer>;
  readonly port: number;
  readonly sockets: Arrivals<Socket>;
  readonly validators: Validators;
}

const silentParticipant = { answered: () => {}, hello: () => {}, detached: () => {} };
