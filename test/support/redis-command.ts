/**
 * Just enough of the Redis protocol to give a test a numbered database of its own, so that no Redis
 * driver is needed for it. Not a client. A database is given out only when it was empty, so nothing
 * of anybody else is ever flushed.
 */
import { createConnection } from 'node:net';

/** Redis comes with 16 databases; 0 is left to whoever runs the server. */
const databasesMax = 16;

/** This key marks a database as taken, so that two test processes never share one. */
const mark = 'settle-test-owner';

/** Takes the lowest empty database from 1 on and answers its number. Throws when none is left. */
export async function takeRedisDatabase(url: string): Promise<number> {
  for (let number = 1; number < databasesMax; number += 1) {
    const [, size] = await redisCommands(url, [`SELECT ${number}`, 'DBSIZE']);
    if (size !== ':0') continue;
    const [, isFirst] = await redisCommands(url, [`SELECT ${number}`, `SETNX ${mark} 1`]);
    if (isFirst === ':1') return number;
  }
  throw new Error('every numbered database of the Redis server holds something');
}

/** Empties a database that takeRedisDatabase gave out. */
export async function returnRedisDatabase(url: string, number: number): Promise<void> {
  await redisCommands(url, [`SELECT ${number}`, 'FLUSHDB']);
}

/** Sends inline commands and answers their one-line replies. Throws on an error reply. */
async function redisCommands(url: string, commands: readonly string[]): Promise<readonly string[]> {
  const { hostname, port, password } = new URL(url);
  const auth = password === '' ? [] : [`AUTH ${decodeURIComponent(password)}`];
  const lines = [...auth, ...commands];
  const socket = createConnection({ host: hostname, port: Number(port || 6379) });
  socket.setEncoding('utf8').write(`${lines.join('\r\n')}\r\n`);
  let text = '';
  for await (const chunk of socket) {
    text += String(chunk);
    if (text.split('\r\n').length > lines.length) break;
  }
  const replies = text.split('\r\n').slice(0, lines.length);
  const failed = replies.find((reply) => reply.startsWith('-'));
  if (failed !== undefined) throw new Error(`Redis answered ${failed}`);
  return replies.slice(auth.length);
}
