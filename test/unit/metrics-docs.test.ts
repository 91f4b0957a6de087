/** docs/reference/metrics.md has every metric that is exposed, with its type, help and labels. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { metricsOf } from '../../server/api/metrics.ts';
import { createPulse } from '../../server/engine/pulse.ts';
import { systemClock } from '../../server/runtime/clock.ts';
import { zeroCensus, zeroStats } from '../api/memory-coordinator.ts';

const page = readFileSync(
  join(import.meta.dirname, '..', '..', 'docs', 'reference', 'metrics.md'),
  'utf8',
);

function exposed() {
  return metricsOf(zeroStats, [{ service: 'bank', instances: 1 }], {
    census: zeroCensus,
    pulse: createPulse(systemClock()).report(),
    lockWaits: 0,
    callsQueued: { channel: 0, http: 0 },
    eventStreams: 0,
    nowMs: 0,
  });
}

test('metrics.md has a line for each metric, in order', () => {
  const expected = exposed().map(({ name, type, help, samples }) => {
    const labels = Object.keys(samples[0]?.labels ?? {}).map((label) => `\`${label}\``);
    return [`\`${name}\``, type, labels.join(', '), help];
  });
  const shown = page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(/\s*\|(?:\s+|$)/).slice(1, -1));
  expect(shown).toEqual(expected);
});

test('labels are few: a scrape of an idle coordinator has fewer than 350 lines of samples', () => {
  const lines = exposed().reduce(
    (sum, { samples }) =>
      sum +
      samples.reduce((own, { value }) => {
        return own + (typeof value === 'number' ? 1 : value.counts.length + 2);
      }, 0),
    0,
  );
  expect(lines).toBeLessThan(350);
});
