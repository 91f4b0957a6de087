/** Rows about the coordinator's memory: what an open transaction takes, and that nothing is kept. */
import { setTimeout as pause } from 'node:timers/promises';
import { residentBytes } from '../cpu.ts';
import type { ProductSide } from '../product.ts';
import { peakFlags } from './rate.ts';
import { atMost, type Row, rounded } from './row.ts';
import { inScene, troublesOf } from './scene.ts';
import { fittedLine } from './slope.ts';

/** After a full collection with so many open, against a tenth of them: the code is loaded by then. */
export const memoryPerOpen: Row = {
  name: 'memory-per-open',
  title: 'memory of the coordinator per open transaction with 2 branches',
  limits: [atMost('kibPerOpen', 4)],
  shown: ['kibPerOpen', 'rssKibPerOpen', 'open', 'rssMb'],
  run: (bench) =>
    inScene(bench, peakFlags, async (scene) => {
      const open = bench.count(100_000);
      const side = await scene.open(await scene.newLogUrl(), { showsHeap: true });
      const reports = await side.run(1);
      await side.hold({ count: Math.ceil(open / 10), isCommitted: false });
      const before = await side.heap();
      await side.hold({ count: open, isCommitted: false });
      const after = await side.heap();
      const kibPerOpen = (bytes: number): number => rounded(bytes / open / 1_024);
      return {
        measured: {
          kibPerOpen: kibPerOpen(after.usedBytes - before.usedBytes),
          rssKibPerOpen: kibPerOpen(after.rssBytes - before.rssBytes),
          open,
          rssMb: rounded(after.rssBytes / 2 ** 20, 0),
        },
        ...troublesOf(reports),
      };
    }),
};

const sampleMs = 500;

/** At the peak rate; the first third, in which caches and the heap find their size, is left out. */
export const memoryFlat: Row = {
  name: 'memory-flat',
  title: 'resident memory of the coordinator at the peak rate, rise over the run',
  limits: [atMost('risePercent', 10)],
  shown: ['risePercent', 'rssMb', 'overSeconds', 'mbPerMinute'],
  run: (bench) =>
    inScene(bench, peakFlags, async (scene) => {
      const overSeconds = bench.isLong ? 600 : bench.seconds * 12;
      const side = await scene.open(await scene.newLogUrl());
      const settled = await side.run(overSeconds / 3);
      const running = side.run(overSeconds);
      const points = await samples(side, running);
      const { start, slope } = fittedLine(points);
      const rise = slope * overSeconds;
      return {
        measured: {
          risePercent: rounded((rise / start) * 100, 1),
          rssMb: rounded(start + rise / 2, 0),
          overSeconds,
          mbPerMinute: rounded(slope * 60, 1),
        },
        ...troublesOf([...settled, ...(await running)]),
      };
    }),
};

/** Seconds and MiB, until the run is over. */
async function samples(
  side: ProductSide,
  running: Promise<unknown>,
): Promise<readonly (readonly [number, number])[]> {
  const points: (readonly [number, number])[] = [];
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  running.then(over, over);
  const beganAtMs = performance.now();
  while (!isOver) {
    const bytes = residentBytes(side.coordinatorPid);
    if (bytes === null) throw new Error('this system does not tell the memory of a process');
    points.push([(performance.now() - beganAtMs) / 1_000, bytes / 2 ** 20]);
    await Promise.race([pause(sampleMs), running]);
  }
  return points;
}
