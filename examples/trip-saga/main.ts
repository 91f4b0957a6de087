/**
 * Trips as sagas over three services. Starts the coordinator and the services, lets the agency book
 * three trips, and then asks each service what is reserved: all of a trip or nothing of it. The
 * hotel is killed in between, and started again. Exit code 0: it holds. 1: it does not.
 */
import { join } from 'node:path';
import { type Service, startCoordinator, startService, temporaryFolder } from '../processes.ts';
import type { AgencySettings } from './agency.ts';
import type { CarSettings } from './car.ts';
import type { Reservation, StockSettings } from './stock.ts';

interface Hello {
  readonly address: string;
}

const trips: AgencySettings['trips'] = [
  { id: 'trip-1', input: { traveller: 'Ada', city: 'Oslo' } },
  { id: 'trip-2', input: { traveller: 'Grace', city: 'Rome' } },
  { id: 'trip-3', input: { traveller: 'Edsger', city: 'Oslo' } },
];

await using cleanUp = new AsyncDisposableStack();
const folder = cleanUp.use(await temporaryFolder()).path;
const start = async <T = null>(name: string, settings: unknown): Promise<Service<T>> =>
  cleanUp.use(await startService<T>(join(import.meta.dirname, `${name}.ts`), settings));

const carSettings: CarSettings = { file: join(folder, 'car.db') };
const car = await start<Hello>('car', carSettings);
// The coordinator calls no address that its operator has not allowed.
const flags = ['--allow-callback', car.hello.address];
const { url } = cleanUp.use(await startCoordinator(folder, flags));
const flightSettings: StockSettings = { url, file: join(folder, 'flight.db') };
const flight = await start<Hello>('flight', flightSettings);
const hotelSettings: StockSettings = { url, file: join(folder, 'hotel.db') };
const doomedHotel = await start<Hello>('hotel', { ...hotelSettings, diesAfter: 'trip-3' });
const hotelAgain = doomedHotel.ended.then(() => {
  console.log('  hotel   (killed after its commit, before its answer; starts again)');
  return start<Hello>('hotel', hotelSettings);
});

const agencySettings: AgencySettings = { url, car: `${car.hello.address}/car`, trips };
const agency = await start('agency', agencySettings);
if ((await agency.ended) !== 0) throw new Error('the agency ended badly');

const services = { flight, hotel: await hotelAgain, car };
process.exitCode = (await report(services)) ? 0 : 1;

/** Prints what is reserved, and whether each trip has all three or nothing. */
async function report(all: Readonly<Record<string, Service<Hello>>>): Promise<boolean> {
  const counts = new Map<string, number>();
  console.log('\nReserved:');
  for (const [name, { hello }] of Object.entries(all)) {
    const response = await fetch(`${hello.address}/reservations`);
    const reserved = (await response.json()) as readonly Reservation[];
    for (const { trip } of reserved) counts.set(`${trip}`, (counts.get(`${trip}`) ?? 0) + 1);
    const list = reserved.map(({ name: thing, trip }) => `${thing} (${trip})`);
    console.log(`  ${name.padEnd(7)} ${list.join(', ')}`);
  }
  const isSound = counts.get('trip-1') === 3 && !counts.has('trip-2') && counts.get('trip-3') === 3;
  console.log(isSound ? 'Each trip has all or nothing.' : 'THIS MUST NOT BE.');
  return isSound;
}
