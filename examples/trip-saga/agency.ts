/**
 * The agency: defines the saga and runs it for three travellers. It holds nothing that must
 * survive: the gid names the trip, so after a crash the same call carries on or tells the outcome.
 */
import { connect, SettleError } from '@settle/client';
import { ready, serviceSettings } from '../processes.ts';
import type { Trip } from './stock.ts';

/** What `main.ts` gives it. */
export interface AgencySettings {
  readonly url: string;
  /** Base address of the car's participant. */
  readonly car: string;
  readonly trips: readonly { readonly id: string; readonly input: Trip }[];
}

const { url, car, trips } = serviceSettings<AgencySettings>();
const settle = await connect({ url, service: 'agency' });

const trip = settle
  .saga<Trip>('trip', { timeout: '1m' })
  .step('flight', { participant: { service: 'flight', method: 'reserve' } })
  .step('hotel', { participant: { service: 'hotel', method: 'reserve' }, attempts: 5 })
  .step('car', { participant: { url: car } });

async function book(id: string, input: Trip): Promise<string> {
  try {
    const { phase, results } = await settle.run(trip, input, { id });
    return phase === 'committed' ? `booked: ${JSON.stringify(results)}` : `still ${phase}`;
  } catch (error) {
    if (!(error instanceof SettleError)) throw error;
    return `${error.code}: ${error.detail}`;
  }
}

ready();
for (const { id, input } of trips) {
  console.log(`${id}: ${input.traveller} to ${input.city}`);
  console.log(`  ${await book(id, input)}`);
}
await settle.close();
