/** What is bought, and how the services tell of it. No SQL. */
import { SettleError } from '@settle/client';

/** One purchase. */
export interface Purchase {
  readonly id: string;
  readonly buyer: string;
  readonly seller: string;
  readonly lines: readonly { readonly article: string; readonly pieces: number }[];
  readonly cents: number;
}

/** Money that goes from one wallet to another. */
export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly cents: number;
}

/** Prints the purchase, then what became of it. */
export async function tell(purchase: Purchase, buy: () => Promise<string>): Promise<void> {
  const { id, buyer, seller, lines, cents } = purchase;
  const what = lines.map(({ article, pieces }) => `${pieces} × ${article}`).join(' and ');
  console.log(`${id}  ${buyer} buys ${what} from ${seller} for ${(cents / 100).toFixed(2)}`);
  try {
    console.log(`     ${await buy()}`);
  } catch (error) {
    // UNKNOWN is not "failed": it may still be paid, and settle.get(gid) will tell.
    const isUnknown = error instanceof SettleError && error.code === 'UNKNOWN';
    const reason = error instanceof Error ? error.message : String(error);
    console.log(`     ${isUnknown ? 'not known yet' : 'not bought'}: ${reason}`);
  }
}
