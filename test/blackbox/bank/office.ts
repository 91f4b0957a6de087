/**
 * An office's process: wallets of all shards, as resources of kind `at`. A desk is asked for a
 * whole transfer and decides; a vault is asked for some legs and joins. Asked by HTTP, because
 * that is how services are asked that know nothing of the coordinator.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { connectPatiently, readyPatiently } from '../../../server/demo/connected.ts';
import { tellDemo } from '../../../server/demo/messages.ts';
import { type OfficeSettings, officeServiceOf, settingsOfThisProcess, shards } from './cast.ts';
import { createDesk } from './desk.ts';
import { openPurses } from './purses.ts';
import { openShard } from './shard-database.ts';
import type { WalletTransfer } from './wallet-transfers.ts';
import { type Changes, changeWallets, Refused } from './wallets.ts';

/**
 * Fewer than connections: who holds one of each shard must not wait for another, and phase two needs
 * some too.
 */
const workMax = 4;
const connectionsMax = 6;
const lockTimeoutMs = 1_500;
const requestTimeoutMs = 10_000;

async function main(): Promise<void> {
  const { name, url, databaseUrls, port, vaultUrls } = settingsOfThisProcess<OfficeSettings>();
  const service = officeServiceOf(name);
  const settle = await connectPatiently({ url, service, requestTimeoutMs });
  const resources = new Map(
    shards.map((shard) => {
      const url = databaseUrls[shard];
      const db = openShard(shard, url, connectionsMax);
      const isByKysely = service === 'vault';
      const options = { url, connectionsMax, lockTimeoutMs, isByKysely };
      return [
        shard,
        {
          db: settle.at(db, { resource: `shard-${shard}`, lockTimeoutMs }),
          purses: openPurses(settle, shard, options),
        },
      ];
    }),
  );
  const desk = createDesk({ settle, vaultUrls, change: (work) => changeWallets(resources, work) });
  const join = async (headers: IncomingMessage['headers'], work: Changes): Promise<string> => {
    try {
      await settle.join(headers, () => changeWallets(resources, work));
      return 'done';
    } catch (error) {
      return error instanceof Refused ? 'refused' : codeOf(error);
    }
  };
  await readyPatiently(settle);
  const turns = createTurns(workMax);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === '/working') return end(response, turns.taken());
    await turns.take();
    try {
      const body = await json(request);
      // Parse boundary: tellers and desks of the same run wrote it.
      if (request.url === '/legs') end(response, await join(request.headers, body as Changes));
      else end(response, await desk(body as WalletTransfer));
    } finally {
      turns.giveBack();
    }
  };
  const server = createServer((request, response) => {
    // Who asked is gone in the middle of it: nobody to tell.
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  tellDemo({ kind: 'ready' });
}

/** Who comes when all turns are taken waits, and is answered late; tellers limit how many those are. */
function createTurns(max: number) {
  const waiting: (() => void)[] = [];
  let working = 0;
  return {
    /** Those that wait included. */
    taken: () => working + waiting.length,
    async take(): Promise<void> {
      if (working < max) working += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    /** To the one who has waited longest. */
    giveBack(): void {
      const next = waiting.shift();
      if (next === undefined) working -= 1;
      else next();
    },
  };
}

function end(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}

await main();
