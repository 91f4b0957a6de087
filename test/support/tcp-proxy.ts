/**
 * A TCP proxy between a log and its server, to lose what one of them says at a chosen point. Not a
 * general proxy: it knows the server's URL and nothing of the protocol.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A running proxy. */
export interface TcpProxy {
  /** The URL of the server, with the proxy's address in it. */
  readonly url: string;
  /**
   * Waits for the client to send bytes that contain the text, passes them on, and when the server
   * answers, ends every connection instead of passing the answer back. Resolves then: the server
   * has done what it was asked, and the client will never hear. Later connections work.
   */
  loseAnswerTo(text: string): Promise<void>;
  /**
   * Waits for the client to send bytes that contain the text, and ends every connection instead of
   * passing them on. Resolves then: the server has not been asked, and the client cannot tell.
   * Later connections work.
   */
  loseRequest(text: string): Promise<void>;
  /** From now on nothing is passed on, and no connection is ended: a dead network. */
  swallow(): void;
  /** Ends the connections that are open; new ones work. */
  heal(): void;
  close(): Promise<void>;
}

type Mode =
  | { readonly kind: 'pass' }
  | { readonly kind: 'swallow' }
  | { readonly kind: 'listen'; readonly text: string; readonly lost: () => void }
  | { readonly kind: 'drop'; readonly text: string; readonly lost: () => void }
  | { readonly kind: 'lose'; readonly lost: () => void };

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Starts a proxy on a free port of 127.0.0.1 to the server of the URL. */
export async function startTcpProxy(serverUrl: string): Promise<TcpProxy> {
  const target = new URL(serverUrl);
  const pairs = new Set<Pair>();
  let mode: Mode = { kind: 'pass' };
  const heal = () => {
    mode = { kind: 'pass' };
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
    pairs.clear();
  };
  const proxy = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    joined({ client, server }, pairs);
    client.on('data', (bytes) => {
      if (mode.kind === 'swallow') return;
      if (mode.kind === 'drop' && bytes.includes(mode.text)) {
        mode.lost();
        heal();
        return;
      }
      if (mode.kind === 'listen' && bytes.includes(mode.text)) {
        mode = { kind: 'lose', lost: mode.lost };
      }
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (mode.kind !== 'lose' && mode.kind !== 'swallow') client.write(bytes);
      if (mode.kind !== 'lose') return;
      mode.lost();
      heal();
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  const url = new URL(serverUrl);
  url.hostname = '127.0.0.1';
  url.port = String(address !== null && typeof address === 'object' ? address.port : 0);
  return {
    url: url.href,
    loseAnswerTo: (text) =>
      new Promise((lost) => {
        mode = { kind: 'listen', text, lost };
      }),
    loseRequest: (text) =>
      new Promise((lost) => {
        mode = { kind: 'drop', text, lost };
      }),
    swallow() {
      mode = { kind: 'swallow' };
    },
    heal,
    async close() {
      heal();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

/** The end of one is the end of the other. */
function joined(pair: Pair, pairs: Set<Pair>): void {
  pairs.add(pair);
  for (const socket of [pair.client, pair.server]) {
    socket.on('error', () => undefined);
    socket.on('close', () => {
      pairs.delete(pair);
      pair.client.destroy();
      pair.server.destroy();
    });
  }
}
