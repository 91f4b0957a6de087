/**
 * `node test/bench/listing/main.ts [--finished 1000000] [--open 10000] [--requests 60]`: how fast
 * `GET /v1/transactions` answers every filter, and pairs of them, over a PostgreSQL log of that size
 * and a coordinator of its own. Prints one JSON object; progress goes to stderr. Exit code 1: some
 * 95th percentile is over 200 ms; 3: there is no PostgreSQL here.
 */
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ListAnswer } from '../../../client-sdk/protocol/index.ts';
import { becameReady, freePort } from '../../../server/demo/coordinator-api.ts';
import { migrateLog } from '../../../server/log/schema.ts';
import { provide, sources } from '../../support/databases.ts';
import { startNode } from '../processes.ts';
import { fill } from './fill.ts';
import { lists } from './lists.ts';

const p95MsMax = 200;
const readyMsMax = 120_000;
/** Pages of one list that are read one after the other: the later ones begin deep inside. */
const pagesMax = 5;

interface Figures {
  readonly list: string;
  readonly requests: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  /** Of the first page. */
  readonly rows: number;
  /** Pages that had fewer rows than their limit and went on all the same. */
  readonly shortPages: number;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function measure(url: string, query: string, requests: number): Promise<Figures> {
  const tookMs: number[] = [];
  let [rows, shortPages] = [0, 0];
  let cursor: string | null = null;
  const warmups = 3;
  for (let i = -warmups; i < requests; i += 1) {
    const isFirst = cursor === null;
    const startedAtMs = performance.now();
    const page = await readPage(url, cursor === null ? query : `${query}&cursor=${cursor}`);
    if (i >= 0) tookMs.push(performance.now() - startedAtMs);
    if (isFirst) rows = page.transactions.length;
    if (page.nextCursor !== null && page.transactions.length < 50) shortPages += 1;
    cursor = (i + warmups + 1) % pagesMax === 0 ? null : page.nextCursor;
  }
  return {
    ...{ list: query, requests: tookMs.length },
    ...{ p50Ms: shareOf(tookMs, 0.5), p95Ms: shareOf(tookMs, 0.95), maxMs: shareOf(tookMs, 1) },
    ...{ rows, shortPages },
  };
}

/** What a request costs that asks nobody: how busy this machine is. */
async function measureBare(url: string, requests: number) {
  const tookMs: number[] = [];
  for (let i = 0; i < requests; i += 1) {
    const startedAtMs = performance.now();
    await (await fetch(`${url}/healthz`)).text();
    tookMs.push(performance.now() - startedAtMs);
  }
  return { p50Ms: shareOf(tookMs, 0.5), p95Ms: shareOf(tookMs, 0.95) };
}

/** The value that so many of them do not exceed. */
function shareOf(tookMs: readonly number[], share: number): number {
  const sorted = tookMs.toSorted((a, b) => a - b);
  return rounded(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
}

async function readPage(url: string, query: string): Promise<ListAnswer> {
  const response = await fetch(`${url}/v1/transactions?limit=50&${query}`);
  if (!response.ok) throw new Error(`${query}: ${response.status} ${await response.text()}`);
  // Parse boundary: the body is documented in /openapi.json.
  return (await response.json()) as ListAnswer;
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** Open ones must be in memory before lists are measured. */
async function becameWhole(url: string): Promise<void> {
  const endsAtMs = performance.now() + readyMsMax;
  while (performance.now() < endsAtMs) {
    const response = await fetch(`${url}/readyz`);
    const { engine } = (await response.json()) as { engine?: string };
    if (engine === 'running') return;
    await pause(50);
  }
  throw new Error('the coordinator did not read back what is open');
}

async function run(count: Readonly<Record<'finished' | 'open' | 'requests', number>>) {
  const server = await provide('postgres', { needsOwn: true }, sources.toReversed());
  if (server.kind === 'skipped') {
    say(server.reason);
    process.exitCode = 3;
    return;
  }
  try {
    const logUrl = await server.newDatabase();
    await migrateLog(logUrl);
    await fill(logUrl, count, say);
    const port = await freePort();
    const file = join(import.meta.dirname, '..', '..', '..', 'server', 'cli', 'main.ts');
    const args = ['server', '--log', logUrl, '--port', String(port)];
    const coordinator = startNode({ name: 'coordinator', file, args }, 'shown');
    try {
      const url = `http://127.0.0.1:${port}`;
      const isReady = await Promise.race([becameReady(url, readyMsMax), coordinator.broken]);
      if (!isReady) throw new Error('the coordinator did not become ready');
      await becameWhole(url);
      const figures: Figures[] = [];
      const bare = await measureBare(url, count.requests);
      say(JSON.stringify({ bare }));
      for (const query of lists) {
        figures.push(await measure(url, query, count.requests));
        say(JSON.stringify(figures.at(-1)));
      }
      report({ ...count, bare }, figures);
    } finally {
      await coordinator.end((child) => void child.kill('SIGTERM'));
    }
  } finally {
    await server.stop();
  }
}

function report(count: object, figures: readonly Figures[]): void {
  const worst = figures.toSorted((a, b) => b.p95Ms - a.p95Ms)[0];
  process.stdout.write(`${JSON.stringify({ ...count, p95MsMax, worst, figures }, null, 2)}\n`);
  if (worst === undefined || worst.p95Ms > p95MsMax) process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      finished: { type: 'string', default: '1000000' },
      open: { type: 'string', default: '10000' },
      requests: { type: 'string', default: '60' },
    },
  });
  // Where nothing is ever on disk, the figures would be of another world.
  if (statfsSync(tmpdir()).type === 0x0102_1994) process.env['TMPDIR'] = '/var/tmp';
  await run({
    finished: Number(values.finished),
    open: Number(values.open),
    requests: Number(values.requests),
  });
}

await main();
