/**
 * Where rows that measure in their own way find a log and a product. Invariant: whatever a row has
 * started is taken away when it ends, however it ends.
 */
import { type BenchOptions, readFlags, warmupSecondsOf } from '../flags.ts';
import { openProduct, type ProductOptions, type ProductSide } from '../product.ts';
import { untilAborted } from '../run.ts';
import { Cleanup, type DatabaseProcess, openLogs, processOf } from '../stage.ts';
import type { SuiteBench } from './row.ts';

/** A PostgreSQL server, and products on it. */
export interface Scene {
  /** The URL of an empty database. */
  newLogUrl(): Promise<string>;
  /** Starts a product on that log. */
  open(logUrl: string, more?: ProductOptions): Promise<ProductSide>;
  readonly database: DatabaseProcess;
  /** What products are started with. */
  readonly options: BenchOptions;
}

/** The options that these flags mean, with the suite's duration. */
export function optionsOf(flags: string, seconds: number): BenchOptions {
  const words = flags.split(' ').filter((word) => word !== '');
  const isAt = words.includes('at');
  const warmup = Math.min(warmupSecondsOf(isAt ? 'at' : 'tcc'), isAt ? 2 * seconds : seconds);
  const options = readFlags([
    ...['--seconds', String(seconds), '--warmup', String(Math.max(0.5, warmup))],
    ...words,
  ]);
  if (typeof options === 'string') throw new Error(options);
  return options;
}

/** Runs the work in a scene. Throws Missing without a server, and when the bench is interrupted. */
export async function inScene<T>(
  bench: SuiteBench,
  flags: string,
  work: (scene: Scene) => Promise<T>,
): Promise<T> {
  const cleanup = new Cleanup();
  const act = async (): Promise<T> => {
    const options = optionsOf(flags, bench.seconds);
    const logs = await openLogs(options, cleanup);
    return work({
      newLogUrl: logs.newUrl,
      async open(logUrl, more) {
        bench.signal.throwIfAborted();
        const places = { logUrl, bankUrl: null, resourceUrls: null, profileFolder: null };
        const side = await openProduct(options, places, more);
        cleanup.add(side.close);
        return side;
      },
      database: processOf(logs.server),
      options,
    });
  };
  try {
    return await untilAborted(act(), bench.signal);
  } finally {
    await cleanup.run();
  }
}

/** Failures of these reports together. */
export function troublesOf(
  reports: readonly { readonly failed: number; readonly firstError: string | null }[],
): { readonly failed: number; readonly firstError: string | null } {
  return {
    failed: reports.reduce((sum, { failed }) => sum + failed, 0),
    firstError: reports.find(({ firstError }) => firstError !== null)?.firstError ?? null,
  };
}
