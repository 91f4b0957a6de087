/** How the shop asks delivery for a parcel: an ordinary request, in whose headers the gid goes along. */
import { settleFetch } from '@settle/client/fetch';

/** Answers the number of the parcel. */
export type SendParcel = (purchase: string) => Promise<number>;

/** `delivery`: base address of that service. */
export function parcelSender(delivery: string): SendParcel {
  const call = settleFetch();
  return async (purchase) => {
    const response = await call(`${delivery}/parcels`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ purchase }),
    });
    if (!response.ok) throw new Error(`delivery answered ${response.status}`);
    const { parcel } = (await response.json()) as { readonly parcel: number };
    return parcel;
  };
}
