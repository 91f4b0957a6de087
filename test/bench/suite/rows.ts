/** All rows of the suite, in the order in which they are run and shown. */
import { atRows } from './at.ts';
import { coldStart } from './cold-start.ts';
import { durableWaits } from './durable-waits.ts';
import { growthFinished, growthOpen } from './growth.ts';
import { latencyOne, latencySome, openLoop } from './latency.ts';
import { memoryFlat, memoryPerOpen } from './memory.ts';
import { overload } from './overload.ts';
import { otherRates, rates } from './rate.ts';
import { restart } from './restart.ts';
import type { Row } from './row.ts';

/** Those with a target first. */
export const rows: readonly Row[] = [
  ...rates,
  ...[latencyOne, latencySome, openLoop, durableWaits],
  ...[growthFinished, growthOpen, memoryPerOpen, memoryFlat],
  ...atRows,
  ...[restart, overload, coldStart],
  ...otherRates,
];
