/**
 * The flight: a Fastify service that offers the step `reserve` to the sagas of others. The barrier
 * in its SQLite file makes `run` and `undo` take effect once, however often they are asked.
 */

import type { RunArguments, UndoArguments } from '@settle/client';
import { connect, TerminalError } from '@settle/client';
import fastify from 'fastify';
import { ready, serviceSettings } from '../processes.ts';
import { giveBack, openStock, reservations, type StockSettings, type Trip, take } from './stock.ts';

/** What the step gives back. */
export interface Seat {
  readonly seat: string;
}

const { url, file } = serviceSettings<StockSettings>();
const db = await openStock(file, [
  { name: 'seat 12A', city: 'Oslo' },
  { name: 'seat 12B', city: 'Oslo' },
  { name: 'seat 7C', city: 'Rome' },
]);
const settle = await connect({ url, service: 'flight' });

settle.step('reserve', {
  db,
  run: async (trx, { input, call }: RunArguments<Trip, unknown>): Promise<Seat> => {
    const seat = await take(trx, input.city, call.gid);
    if (seat === null) throw new TerminalError(`no seat to ${input.city}`);
    console.log(`  flight  ${seat} to ${input.city} for ${input.traveller}`);
    return { seat };
  },
  undo: async (trx, { result, call }: UndoArguments<Trip, unknown, Seat>) => {
    await giveBack(trx, call.gid);
    console.log(`  flight  ${result?.seat} is free again`);
  },
});

const app = fastify();
app.get('/reservations', () => reservations(db));
await app.listen({ host: '127.0.0.1', port: 0 });
await settle.ready();
ready({ address: app.listeningOrigin });
