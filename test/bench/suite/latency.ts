/** Rows about how long one transaction takes: alone, among 64, and by a timetable. */
import { findingOf, peakFlags } from './rate.ts';
import { atMost, type Row } from './row.ts';

const figures = ['p50Ms', 'p99Ms', 'floorP50Ms', 'floorP99Ms', 'txPerSecond'];

/** One client that waits for the end of each before it begins the next. */
export const latencyOne: Row = {
  name: 'latency-one',
  title: 'latency, one at a time, TCC, PostgreSQL',
  limits: [atMost('p50Ms', 2), atMost('p99Ms', 8)],
  shown: figures,
  run: async (bench) => findingOf(await bench.measure(`${peakFlags} --inflight 1`)),
};

/** A service with some load. */
export const latencySome: Row = {
  name: 'latency-64',
  title: 'latency, 64 in flight, TCC, PostgreSQL',
  limits: [atMost('p50Ms', 5), atMost('p99Ms', 15)],
  shown: figures,
  run: async (bench) => findingOf(await bench.measure(`${peakFlags} --inflight 64`)),
};

/** Half of the peak, whatever became of the ones before: what users of a busy system see. */
export const openLoop: Row = {
  name: 'open-loop',
  title: 'latency, open loop at half of the peak rate, TCC, PostgreSQL',
  limits: [atMost('p99Ms', 25)],
  shown: ['ratePerSecond', 'p50Ms', 'p99Ms'],
  async run(bench) {
    const peak = await bench.measure(peakFlags);
    const ratePerSecond = Math.round(peak.txPerSecond / 2);
    const found = findingOf(await bench.measure(`${peakFlags} --rate ${ratePerSecond} --no-floor`));
    return { ...found, measured: { ratePerSecond, ...found.measured } };
  },
};
