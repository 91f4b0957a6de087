/**
 * The floor's coordinator: a program that sends the frames and writes the rows of the real one and
 * does nothing else. No state machine, no checks, no timers, no retries, no recovery. What it costs
 * is what the real one cannot be cheaper than.
 *
 * `coordinator.ts '{"log":"postgres://…"}'` prints `{"url":"http://127.0.0.1:port"}` when it is
 * ready, and ends on SIGTERM.
 */
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type BeginRequest,
  type ClientMessage,
  channelVersion,
  type DecideRequest,
  type SubmitRequest,
  type TryRequest,
} from '../../../client-sdk/protocol/index.ts';
import { frameWriter, readFrames } from './frames.ts';
import { createGroupCommit } from './group-commit.ts';
import { createCalls, type Peer } from './peers.ts';
import { createSagas, type Saga } from './saga.ts';
import { openStore } from './store.ts';
import { createTwoPhase, type TwoPhase } from './two-phase.ts';

const welcome = `{"kind":"welcome","version":${channelVersion},"node":"floor","requestsMax":4096}`;

async function main(): Promise<void> {
  const { log } = JSON.parse(process.argv[2] ?? '{}') as { readonly log: string };
  const { store, epoch } = await openStore(log);
  const commit = createGroupCommit<TwoPhase | Saga>(store);
  const calls = createCalls<TwoPhase | Saga>((owner, branchId, result) => {
    if (owner.kind === 'saga') sagas.answered(owner, branchId, result);
    else transactions.answered(owner, branchId, result);
  });
  const transactions = createTwoPhase({ epoch, commit, calls });
  const sagas = createSagas({ epoch, commit, calls });

  function request(peer: Peer, id: number, verb: string, body: unknown): void {
    switch (verb) {
      case 'begin':
        return transactions.begin(peer, id, body as BeginRequest);
      case 'try':
        return transactions.passTry(peer, id, body as TryRequest);
      case 'decide':
        return transactions.decide(peer, id, body as DecideRequest);
      case 'submit':
        return sagas.submit(peer, id, body as SubmitRequest);
      default:
        throw new Error(`the floor does not know ${verb}`);
    }
  }

  function connected(socket: WebSocket): void {
    const peer: Peer = { write: frameWriter(socket) };
    readFrames<ClientMessage>(socket, (message) => {
      switch (message.kind) {
        case 'request':
          return request(peer, message.id, message.verb, message.body);
        case 'answer': {
          const { answer } = message;
          if (answer.outcome !== 'done') throw new Error(`a participant said ${answer.outcome}`);
          return calls.answered(message.id, answer.result);
        }
        case 'hello':
          if (message.methods.length > 0) calls.join(message.service, peer);
          return peer.write(welcome);
      }
    });
    socket.on('close', () => calls.leave(peer));
  }

  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    path: '/channel',
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
  server.on('connection', connected);
  server.on('listening', () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`);
  });
  process.on('SIGTERM', () => process.exit(0));
}

await main();
