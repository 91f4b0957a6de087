/**
 * An initiator that begins a checkout, has its branches tried, and waits for a customer who never
 * pays. It is killed before it decides, and nobody starts it again.
 */
import { createApiClient } from '../../cli/api-client.ts';
import { childSettings, tellDemo } from '../messages.ts';
import { abandonedTimeoutMs, branchesOf, checkout } from './story.ts';

/** Argument of the process. */
export interface CheckoutSettings {
  readonly url: string;
  readonly gid: string;
}

async function main(): Promise<void> {
  const { url, gid } = childSettings<CheckoutSettings>();
  const client = createApiClient(url);
  await client.post('/v1/transactions', {
    gid,
    name: checkout.name,
    timeoutMs: abandonedTimeoutMs,
    // Whoever looks at it at night can look for this process.
    labels: { process: String(process.pid), program: 'checkout-process' },
    branches: branchesOf(checkout),
  });
  for (const id of [1, 2]) await client.post(`/v1/transactions/${gid}/branches/${id}/try`, {});
  tellDemo({ kind: 'ready' });
  // The channel to the demo does not keep it alive (leash.ts).
  setInterval(() => undefined, 60_000);
}

await main();
