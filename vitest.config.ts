import { defineConfig } from 'vitest/config';

// `unit` needs nothing but Node; `system` starts servers and processes, so its files run one after
// another (two cores) with a generous limit that only a hang can reach. `container` builds and runs
// the image: minutes, and as root, so `npm test` leaves it out.
export default defineConfig({
  test: {
    reporters: ['default'],
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
          fileParallelism: false,
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
