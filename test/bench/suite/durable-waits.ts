/** The row about how often an initiator waits for the disk, as the coordinator itself counts it. */
import { peakFlags } from './rate.ts';
import { atMost, type Row } from './row.ts';
import { troublesOf } from './scene.ts';

/** Of all transactions of the measurements of the peak rates. */
export const durableWaits: Row = {
  name: 'durable-waits',
  title: 'durable waits on the initiator’s path',
  limits: [atMost('tccWaits', 2), atMost('sagaWaits', 1)],
  shown: ['tccWaits', 'sagaWaits'],
  async run(bench) {
    const tcc = await bench.measure(peakFlags);
    const saga = await bench.measure('--mode saga --log postgres');
    const measured = { tccWaits: tcc.durableWaitsPerTx, sagaWaits: saga.durableWaitsPerTx };
    return { measured, ...troublesOf([tcc, saga]) };
  },
};
