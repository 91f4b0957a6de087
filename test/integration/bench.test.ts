/**
 * `npm run bench` as its user runs it, as short as it can be. Its figures are nobody's business
 * here: only that every transaction ended as it should, and that nothing is left out or behind.
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ended, scratchFolder } from '../support/settle-command.ts';

const main = new URL('../bench/main.ts', import.meta.url).pathname;
let folder: Awaited<ReturnType<typeof scratchFolder>>;

beforeAll(async () => {
  folder = await scratchFolder();
});
afterAll(() => folder.remove());

function bench(...flags: readonly string[]): Promise<Ended> {
  const { PATH = '' } = process.env;
  const env = { PATH, TMPDIR: folder.path };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...flags], { env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, stdout, stderr });
    });
  });
}

const short = ['--seconds', '1', '--rounds', '1', '--warmup', '0.5', '--json', '--log', 'sqlite'];
const figure = expect.any(Number);
const cpu = { coordinator: figure, client: figure, database: 0 };

test.each(['tcc', 'saga', 'empty'])(
  '%s: the line of JSON, and nothing left behind',
  async (mode) => {
    const { code, stdout, stderr } = await bench('--mode', mode, ...short);
    expect(stderr).not.toMatch(/FAILED/);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ mode, log: 'sqlite', branches: mode === 'empty' ? 0 : 2, failed: 0, refused: 0 },
      ...{ txPerSecond: figure, p50Ms: figure, p99Ms: figure },
      ...{ floorTxPerSecond: figure, ratioToFloor: figure },
      ...{
        durableWaitsPerTx: mode === 'saga' ? 1 : 2,
        rowsPerTx: figure,
        commitsPerSecond: figure,
      },
      ...(process.platform === 'linux' ? { cpuUsPerTx: cpu, rssMb: figure } : {}),
    });
    expect(await readdir(folder.path)).toEqual([]);
  },
);

test('a planned rollback is no failure; over HTTP participants refuse by 409', async () => {
  const { code, stdout } = await bench('--rollback', '20', '--transport', 'http', ...short);
  expect(code).toBe(0);
  const { failed, txPerSecond } = JSON.parse(stdout);
  expect(failed).toBe(0);
  expect(txPerSecond).toBeGreaterThan(0);
});

test('a wrong flag: one line, the usage, exit code 2', async () => {
  const { code, stdout, stderr } = await bench('--mode', 'xa');
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^--mode takes tcc, saga, empty, at; not "xa"\nusage: /);
});

test('the suite: a line for each row and one of all, whatever the machine is like', async () => {
  const rows = ['tcc-sqlite', 'cold-start'];
  const { code, stdout } = await bench(
    '--suite',
    '--only',
    rows.join(),
    '--seconds',
    '0.5',
    '--json',
  );
  expect(code).toBe(0);
  const [rate, start, all] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rate).toMatchObject({
    ...{ name: 'tcc-sqlite', target: 'ratioToFloor ≥ 0.55', holds: expect.any(Boolean) },
    measured: { txPerSecond: figure, ratioToFloor: figure },
  });
  expect(start).toMatchObject({ name: 'cold-start', measured: { readyMs: figure } });
  expect(all).toEqual({ rows: 2, hold: figure, failed: expect.any(Array) });
  expect(await readdir(folder.path)).toEqual([]);
});
