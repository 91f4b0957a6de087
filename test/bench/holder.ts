/**
 * Begins TCC transactions with two branches each, over the channel as the SDK does it, and leaves
 * them: undecided until a deadline that is hours away, or committed with nobody there to confirm.
 * Ends with code 0 when all are on disk. Argument: HoldSettings as JSON.
 */
import { openChannel } from '../../client-sdk/channel/channel.ts';
import { silentLogger } from '../../client-sdk/logger.ts';
import { createHost } from '../../client-sdk/participant/host.ts';
import { bankService, type Entry, methodsOf } from './business.ts';

/** What to hold. */
export interface HoldSettings {
  /** Base address of the coordinator. */
  readonly url: string;
  /** Number of the first one; two holders of one coordinator must not share numbers. */
  readonly first: number;
  readonly count: number;
  /** Each one is decided, durably, to commit; nobody waits for its confirms. */
  readonly isCommitted: boolean;
}

const timeoutMs = 12 * 3_600_000;
const inflight = 512;
const request = { timeoutMs: 120_000 } as const;

async function main({ url, first, count, isCommitted }: HoldSettings): Promise<void> {
  const channel = openChannel(
    {
      url: `${url.replace(/^http/, 'ws')}/channel`,
      ...{ service: 'holder', instance: `holder-${process.pid}`, callsMax: 0 },
      ...{ silenceMsMax: 20_000, backoff: { minMs: 100, maxMs: 5_000 }, drainMsMax: 5_000 },
    },
    createHost(),
    silentLogger,
  );
  await channel.ready(10_000);
  let next = first;
  const lane = async (): Promise<void> => {
    while (next < first + count) {
      const number = next++;
      const gid = gidOf(number);
      await channel.request(
        'begin',
        { gid, name: 'held', timeoutMs, branches: branches(number) },
        request,
      );
      if (!isCommitted) continue;
      await channel.request('decide', { gid, direction: 'commit', wait: 'decided' }, request);
    }
  };
  await Promise.all(Array.from({ length: inflight }, lane));
  await channel.close();
}

/** Ordered by time and as long as those of the SDK, for their length is memory, too. */
function gidOf(number: number): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

function branches(number: number) {
  const payload: Entry = { account: `a${number % 100}`, cents: 100 };
  return methodsOf(2).map((method) => ({ participant: { service: bankService, method }, payload }));
}

// Parse boundary: the bench wrote it.
await main(JSON.parse(process.argv[2] ?? '') as HoldSettings);
