/**
 * The hotel: as the flight, with one difference: told to, it dies as if by kill -9, at the worst
 * moment there is: its room is booked and committed, and nobody has heard of it.
 */
import { connect, type RunArguments, TerminalError, type UndoArguments } from '@settle/client';
import type { NodeSqlite } from '@settle/client/sqlite';
import fastify from 'fastify';
import { ready, serviceSettings } from '../processes.ts';
import { giveBack, openStock, reservations, type StockSettings, type Trip, take } from './stock.ts';

/** What the step gives back. */
export interface Room {
  readonly room: string;
}

const { url, file, diesAfter } = serviceSettings<StockSettings>();
let isDoomed = false;
const things = [
  { name: 'room 101', city: 'Oslo' },
  { name: 'room 102', city: 'Oslo' },
  { name: 'room 5', city: 'Rome' },
];
const db = await openStock(file, things, dyingAfterCommit);
const settle = await connect({ url, service: 'hotel' });

settle.step('reserve', {
  db,
  run: async (trx, { input, call }: RunArguments<Trip, unknown>): Promise<Room> => {
    const room = await take(trx, input.city, call.gid);
    if (room === null) throw new TerminalError(`no room in ${input.city}`);
    console.log(`  hotel   ${room} in ${input.city} for ${input.traveller}`);
    isDoomed = call.gid === diesAfter;
    return { room };
  },
  undo: async (trx, { result, call }: UndoArguments<Trip, unknown, Room>) => {
    await giveBack(trx, call.gid);
    console.log(`  hotel   ${result?.room} is free again`);
  },
});

const app = fastify();
app.get('/reservations', () => reservations(db));
await app.listen({ host: '127.0.0.1', port: 0 });
await settle.ready();
ready({ address: app.listeningOrigin });

/** Lets the commit happen, and then nothing any more. */
function dyingAfterCommit(database: NodeSqlite): NodeSqlite {
  return {
    ...database,
    prepare(text) {
      const statement = database.prepare(text);
      if (text !== 'commit') return statement;
      return {
        ...statement,
        run(parameters) {
          const outcome = statement.run(parameters);
          if (isDoomed) process.kill(process.pid, 'SIGKILL');
          return outcome;
        },
      };
    },
  };
}
