import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// `unit` needs nothing but Node; `system` starts servers and processes, each file its own, with a
// generous limit that only a hang can reach. Both take what cores there are, and no more than four: a
// file of `system` may have three servers and ten processes. `container` builds and runs the image:
// minutes, and as root, so `npm test` leaves it out.
export default defineConfig({
  test: {
    reporters: ['default'],
    maxWorkers: Math.min(4, Math.max(2, availableParallelism())),
    // Asked for by `npm run coverage:core`: what decides is tested in full, or the run fails.
    coverage: {
      provider: 'v8',
      include: ['server/core/**/*.ts'],
      reporter: ['text'],
      thresholds: { lines: 100, branches: 100, functions: 100, statements: 100 },
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/*.test.ts', 'test/{core,engine,sdk,api,desk,unit}/**/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/{conformance,integration,blackbox,examples,at,browser}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'container',
          include: ['test/container/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
