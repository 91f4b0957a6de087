/**
 * Rows about what a log that has grown costs: two products run on one machine, one on the log that
 * has grown, one on an empty log, and are measured in turn. What is called the floor elsewhere is
 * the empty log here.
 */
import type { ProductSide } from '../product.ts';
import { resultOf, roundLine } from '../report.ts';
import { type Round, runRounds } from '../run.ts';
import { fillFinished } from './fill.ts';
import { peakFlags } from './rate.ts';
import { atLeast, type Finding, type Row, type SuiteBench } from './row.ts';
import { inScene, type Scene } from './scene.ts';

const shown = ['ratioToEmpty', 'txPerSecond', 'emptyTxPerSecond'];

/** A year of a small shop, or a minute of a large one. */
export const growthFinished: Row = {
  name: 'growth-finished',
  title: 'rate with 1,000,000 finished transactions in the log, against an empty log',
  limits: [atLeast('ratioToEmpty', 0.9)],
  shown: ['finished', ...shown],
  run: (bench) =>
    inScene(bench, `${peakFlags} --rounds 5`, async (scene) => {
      const finished = bench.count(1_000_000);
      const logUrl = await scene.newLogUrl();
      const first = await scene.open(logUrl);
      await first.run(1);
      await first.close();
      bench.say(`filling the log with ${finished} finished transactions`);
      await fillFinished(logUrl, finished, (filled) => bench.say(`  ${filled}`));
      const grown = await scene.open(logUrl);
      return compare(bench, scene, grown, { finished });
    }),
};

/** Participants that are away for hours leave many of them open. */
export const growthOpen: Row = {
  name: 'growth-open',
  title: 'rate with 100,000 open transactions, against none',
  limits: [atLeast('ratioToEmpty', 0.8)],
  shown: ['open', ...shown],
  run: (bench) =>
    inScene(bench, `${peakFlags} --rounds 5`, async (scene) => {
      const open = bench.count(100_000);
      const grown = await scene.open(await scene.newLogUrl());
      bench.say(`beginning ${open} transactions that stay open`);
      await grown.hold({ count: open, isCommitted: false });
      return compare(bench, scene, grown, { open });
    }),
};

async function compare(
  bench: SuiteBench,
  { database, options, newLogUrl, open }: Scene,
  grown: ProductSide,
  size: Readonly<Record<string, number>>,
): Promise<Finding> {
  const empty = await open(await newLogUrl());
  const stage = {
    ...{ product: grown, floor: empty, plain: null, database, profileFolder: null },
    close: grown.close,
  };
  const tell = (name: string, round: Round) =>
    bench.say(roundLine(name.replace('floor', 'empty log'), round));
  const result = resultOf(options, await runRounds(stage, options, tell, bench.signal));
  return {
    measured: {
      ...size,
      ratioToEmpty: result.ratioToFloor,
      txPerSecond: result.txPerSecond,
      emptyTxPerSecond: result.floorTxPerSecond,
      ratioToEmptyByCpu: result.cpuRatioToFloor,
    },
    failed: result.failed,
    firstError: result.firstError,
  };
}
