/**
 * A link between two processes: a TCP proxy that can be cut, cut in one direction, slowed down, or
 * made to lose answers. Invariant: bytes are never left out of the middle of a stream that goes on;
 * a connection that lost any is ended when the link heals, as a real network would end it.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * - `cut`: nothing passes, no connection ends; `cutToServer` and `cutToClient` one way only;
 * - `delay`: everything comes so much later, in order;
 * - `loseReplies`: what the server says is lost, and the connection with it, one time in three.
 */
export type LinkFault =
  | { readonly kind: 'cut' | 'cutToServer' | 'cutToClient' | 'loseReplies' }
  | { readonly kind: 'delay'; readonly ms: number };

/** A running link. */
export interface Link {
  /** The port on 127.0.0.1 that stands for the server. */
  readonly port: number;
  /** The given URL with this link's address in it. */
  through(url: string): string;
  /** From now on; replaces the fault before it. */
  harm(fault: LinkFault): void;
  heal(): void;
  /** New connections go there; those that are open stay, unless `endsOpen`. */
  retarget(port: number, endsOpen: boolean): void;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** What was delayed is sent one after another, so that nothing overtakes it after healing. */
  readonly late: Record<Side, Promise<void>>;
  isLate: boolean;
  hasLost: boolean;
}

type Side = 'client' | 'server';

/** Every third chunk of a server is a reply that gets lost. */
const replyLostEvery = 3;

/** Starts a link to a port of 127.0.0.1. */
export async function openLink(targetPort: number): Promise<Link> {
  const pairs = new Set<Pair>();
  let target = targetPort;
  let fault: LinkFault | null = null;
  let replies = 0;

  function end(pair: Pair): void {
    pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }

  function pass(pair: Pair, to: Side, bytes: Buffer): void {
    if (isCutTowards(fault, to)) {
      pair.hasLost = true;
      return;
    }
    if (fault?.kind === 'loseReplies' && to === 'client') {
      replies += 1;
      if (replies % replyLostEvery === 0) return end(pair);
    }
    const ms = fault?.kind === 'delay' ? fault.ms : 0;
    if (ms === 0 && !pair.isLate) return send(pair, to, bytes);
    pair.isLate = true;
    const dueAt = performance.now() + ms;
    pair.late[to] = pair.late[to]
      .then(() => pause(Math.max(0, dueAt - performance.now())))
      .then(() => send(pair, to, bytes));
  }

  const server = createServer((client) => {
    const pair: Pair = {
      client,
      server: connect(target, '127.0.0.1'),
      late: { client: Promise.resolve(), server: Promise.resolve() },
      isLate: false,
      hasLost: false,
    };
    pairs.add(pair);
    for (const socket of [pair.client, pair.server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => end(pair));
    }
    pair.client.on('data', (bytes) => pass(pair, 'server', bytes));
    pair.server.on('data', (bytes) => pass(pair, 'client', bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    port,
    through: (url) => withPort(url, port),
    harm(next) {
      endThose(pairs, end);
      fault = next;
    },
    heal() {
      fault = null;
      endThose(pairs, end);
    },
    retarget(next, endsOpen) {
      target = next;
      if (endsOpen) for (const pair of [...pairs]) end(pair);
    },
    async close() {
      for (const pair of [...pairs]) end(pair);
      server.close();
      await once(server, 'close');
    },
  };
}

/** Ends those that have lost something: their streams can never be right again. */
function endThose(pairs: ReadonlySet<Pair>, end: (pair: Pair) => void): void {
  for (const pair of [...pairs]) if (pair.hasLost) end(pair);
}

function isCutTowards(fault: LinkFault | null, to: Side): boolean {
  if (fault?.kind === 'cut') return true;
  return fault?.kind === (to === 'server' ? 'cutToServer' : 'cutToClient');
}

function send(pair: Pair, to: Side, bytes: Buffer): void {
  const socket = pair[to];
  if (socket.writable) socket.write(bytes);
}

function withPort(text: string, port: number): string {
  const url = new URL(text);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return url.href;
}
