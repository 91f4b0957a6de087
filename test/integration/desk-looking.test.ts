/**
 * Commands that look at what a coordinator tells of itself. What is answered here is said by a small
 * server of the test, field by field of the protocol's types: the point is what the commands ask for,
 * and how answers become text, JSON and exit codes.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type {
  ConfigView,
  DeskEvent,
  Explanation,
  ListAnswer,
  LogVerdict,
  LogView,
  NodeView,
  ParticipantView,
  ShardView,
  TimelineAnswer,
  TransactionSummary,
  TransactionView,
} from '../../client-sdk/protocol/index.ts';
import { runCommand, scratchFolder } from '../support/settle-command.ts';

const startMs = Date.parse('2026-11-21T10:21:34.693Z');

const view: TransactionView = {
  gid: 'g1',
  mode: 'transaction',
  phase: 'committing',
  cause: { kind: 'initiator' },
  deadlineAtMs: null,
  name: 'transfer',
  attention: null,
  labels: {},
  startedAtMs: startMs,
  decidedAtMs: startMs + 40,
  finishedAtMs: startMs + 90,
  branches: [],
};
const summary: TransactionSummary = {
  ...view,
  ...{ finishedAtMs: null, services: [], lastError: null, attempts: 0, nextAttemptAtMs: null },
};
const timeline: TimelineAnswer = {
  gid: 'g1',
  entries: [
    { ...entry(1, 0, 'begun'), text: 'begun by the initiator' },
    { ...entry(2, 40, 'decided'), text: 'decided to commit, asked by the initiator' },
    {
      ...entry(3, 61_000, 'attempted'),
      branchId: 1,
      text: 'confirm: 500 the vault\u001b[2J is locked',
    },
    {
      ...entry(4, 7_200_000, 'done'),
      branchId: 1,
      text: 'confirm counts as done',
      operator: { who: 'eve', reason: 'ticket 7' },
    },
  ],
};
const explanation: Explanation = {
  gid: 'g1',
  phase: 'committing',
  why: 'bank/debit did not confirm.',
  next: 'It is asked again.',
  nextAtMs: 1,
  remedies: [
    { text: 'Ask now.', command: 'settle tx retry g1 --reason …' },
    { text: 'Mend the bank.', command: null },
  ],
};
const participants: readonly ParticipantView[] = [
  {
    service: 'bank',
    instances: [{ instance: 'i1', methods: ['debit'], callsInFlight: 2, connectedAtMs: startMs }],
    owed: 3,
    oldestOwedAtMs: startMs,
    lastError: 'the vault is locked',
    isDrained: false,
  },
  {
    service: 'car',
    instances: [],
    owed: 1,
    oldestOwedAtMs: null,
    lastError: null,
    isDrained: false,
  },
  {
    service: 'tax',
    instances: [],
    owed: 0,
    oldestOwedAtMs: null,
    lastError: null,
    isDrained: true,
  },
];
const nodes: readonly NodeView[] = [
  {
    node: 'node-1',
    address: 'http://127.0.0.1:7400',
    epoch: 3,
    isThis: true,
    state: 'serving',
    version: '0.1.0',
    startedAtMs: startMs,
  },
];
const shards: readonly ShardView[] = [{ shard: 0, node: 'node-1', open: 5, attention: 2 }];
const log: LogView = {
  url: 'postgres://settle:***@db/settle',
  epoch: 3,
  commits: 10,
  rows: 25,
  unknownAppends: 0,
  conflicts: 0,
  pendingRows: 1,
  logMs: { p50: 1.5, p99: 9 },
};
const verdicts: Readonly<Record<string, LogVerdict>> = {
  '': { checked: 2, faults: [], next: 'g2' },
  g2: { checked: 1, faults: [{ gid: 'g3', what: 'row 2 is missing' }], next: null },
};
const config: ConfigView = {
  settings: [
    { name: 'port', value: 7400, origin: 'default' },
    { name: 'log', value: 'sqlite:.settle/log.db', origin: 'env SETTLE_LOG' },
  ],
};
const changed: DeskEvent = { kind: 'changed', gids: ['g1'], isCut: true };
/** The first page is empty, and is not the last. */
const pages: Readonly<Record<string, ListAnswer>> = {
  '': { transactions: [], nextCursor: 'c1' },
  c1: { transactions: [summary], nextCursor: null },
};

function entry(seq: number, afterMs: number, kind: string) {
  return { seq, atMs: startMs + afterMs, epoch: 1, kind, branchId: null, operator: null };
}

/** What was asked: method, path and parameters, body. */
let asked: string[] = [];

function answerTo(url: URL, body: string): unknown {
  const find = (key: string) => url.searchParams.get(key) ?? '';
  switch (url.pathname) {
    case '/v1/transactions':
      return pages[find('cursor')];
    case '/v1/transactions/g1':
      return view;
    case '/v1/transactions/g1/timeline':
      return timeline;
    case '/v1/transactions/g1/explanation':
      return explanation;
    case '/v1/participants':
      return { participants };
    case '/v1/participants/bank/drain':
    case '/v1/participants/bank/undrain': {
      const { dryRun } = JSON.parse(body) as { dryRun: boolean };
      const isDrained = url.pathname.endsWith('/drain');
      return { service: 'bank', isDrained, auditSeq: dryRun ? null : 7, dryRun };
    }
    case '/v1/nodes':
      return { nodes };
    case '/v1/shards':
      return { shards };
    case '/v1/log':
      return log;
    case '/v1/log/verify':
      return verdicts[find('after')];
    case '/v1/config':
      return config;
    default:
      return undefined;
  }
}

const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    const url = new URL(request.url ?? '', 'http://localhost');
    asked.push(`${request.method} ${decodeURIComponent(request.url ?? '')} ${body}`.trim());
    if (url.pathname === '/v1/events') {
      response.end(`event: changed\ndata: ${JSON.stringify(changed)}\n\n`);
      return;
    }
    const answer = answerTo(url, body);
    response.statusCode = answer === undefined ? 404 : 200;
    const problem = { code: 'NOT_FOUND', detail: `No such address: ${url.pathname}` };
    response.end(JSON.stringify(answer ?? problem));
  });
});
let folder: Awaited<ReturnType<typeof scratchFolder>>;
let url = '';

beforeAll(async () => {
  folder = await scratchFolder();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await folder.remove();
});
beforeEach(() => {
  asked = [];
});

const settle = (...args: string[]) => runCommand([...args, '--url', url], { folder: folder.path });
/** Columns are as wide as their content: one blank does for a comparison. */
const tight = (text: string) => text.split('\n').map((line) => line.replaceAll(/ +/g, ' ').trim());

test('tx list asks for what the filters say, and reads on after an empty page', async () => {
  const filters = ['--older-than', '5m', '--younger-than', '2d', '--label', 'shop=x', '--gid', 'g'];
  const open = ['--service', 'bank', '--resource', 'main', '--error', 'vault', '--attention'];
  const ended = await settle('tx', 'list', ...filters, ...open, '--sort', 'oldest', '--json');
  expect(ended.stdout.split('\n').map((line) => JSON.parse(line))).toEqual([summary]);
  const [first = '', second = ''] = asked;
  const query = Object.fromEntries(new URLSearchParams(first.slice(first.indexOf('?') + 1)));
  expect(query).toMatchObject({
    ...{ outcome: 'open', label: 'shop=x', gid: 'g', service: 'bank', method: 'at.main' },
    ...{ error: 'vault', attention: 'true', sort: 'oldest', limit: '50' },
  });
  expect(Number(query['startedBeforeMs']) - Number(query['startedAfterMs'])).toBe(
    2 * 24 * 3_600_000 - 5 * 60_000,
  );
  expect(second).toContain('cursor=c1');
});

test.each([
  ['--older-than', 'long'],
  ['--label', 'shop'],
  ['--gid', 'a/b'],
  ['--watch'],
  ['--watch', '--json'],
  ['--method', 'a', '--resource', 'b'],
])('tx list refuses %s %s', async (...args) => {
  expect(await settle('tx', 'list', ...args)).toMatchObject({ code: 2, stdout: '' });
});

test('tx show has the timeline, and tx tail ends with the transaction', async () => {
  const shown = await settle('tx', 'show', 'g1');
  expect(tight(shown.stdout).slice(-5)).toEqual([
    'TIME AFTER KIND BRANCH WHAT HAPPENED',
    '10:21:34.693Z +0.000 s begun begun by the initiator',
    '10:21:34.733Z +0.040 s decided decided to commit, asked by the initiator',
    '10:22:35.693Z +1.0 min attempted 1 confirm: 500 the vault is locked',
    '12:21:34.693Z +2.0 h done 1 confirm counts as done — eve: ticket 7',
  ]);
  const json = JSON.parse((await settle('tx', 'show', 'g1', '--json')).stdout);
  expect(json).toEqual({ ...view, timeline: timeline.entries });
  const tail = await settle('tx', 'tail', 'g1', '--json');
  expect(tail.stdout.split('\n').map((line) => JSON.parse(line))).toEqual(timeline.entries);
  expect(tail.code).toBe(0);
});

test('tx tail without a gid prints what changes', async () => {
  const tail = await settle('tx', 'tail');
  expect(tail.stdout).toMatch(/^20\S+ \S+Z {2}g1 {2}transaction {2}transfer {2}committing$/);
  expect(tail).toMatchObject({ code: 0, stderr: 'More have changed than are shown.' });
});

test('tx explain says why, what comes next and what to do', async () => {
  expect((await settle('tx', 'explain', 'g1')).stdout.split('\n')).toEqual([
    'g1 is committing',
    '',
    'Why',
    '  bank/debit did not confirm.',
    'What Settle does next',
    '  It is asked again.',
    'What you can do',
    '  Ask now.',
    '    settle tx retry g1 --reason …',
    '  Mend the bank.',
  ]);
  const json = await settle('tx', 'explain', 'g1', '--json');
  expect(JSON.parse(json.stdout)).toEqual(explanation);
  expect(await settle('tx', 'explain', 'g2')).toMatchObject({ code: 3 });
});

test('participants are listed, drained and undrained', async () => {
  const { stdout } = await settle('participant', 'list');
  expect(tight(stdout).map((line) => line.replace(/ [\d.]+ (s|min|h|d) /, ' AGE '))).toEqual([
    'SERVICE STATE INSTANCES METHODS IN FLIGHT OWES FOR LAST ERROR',
    'bank connected 1 debit 2 3 AGE the vault is locked',
    'car away 0 - 0 1 - -',
    'tax drained 0 - 0 0 - -',
  ]);
  asked = [];
  const dry = await settle('participant', 'drain', 'bank', '--reason', 'r', '--dry-run');
  expect(dry).toMatchObject({ code: 0, stderr: 'A dry run: nothing was done.' });
  const done = await settle('participant', 'undrain', 'bank', '--reason', 'r', '--json');
  expect(JSON.parse(done.stdout)).toMatchObject({ isDrained: false, auditSeq: 7 });
  expect(asked).toEqual([
    'POST /v1/participants/bank/drain {"reason":"r","dryRun":true}',
    'POST /v1/participants/bank/undrain {"reason":"r","dryRun":false}',
  ]);
  expect(await settle('participant', 'drain', 'bank')).toMatchObject({ code: 2 });
});

test('nodes and shards are listed', async () => {
  expect(tight((await settle('node', 'list')).stdout)).toEqual([
    'NODE ADDRESS TERM STATE VERSION STARTED',
    'node-1 * http://127.0.0.1:7400 3 serving 0.1.0 2026-11-21 10:21:34.693Z',
  ]);
  expect(JSON.parse((await settle('node', 'list', '--json')).stdout)).toEqual(nodes[0]);
  expect(tight((await settle('shard', 'list')).stdout)).toEqual([
    'SHARD NODE OPEN ATTENTION',
    '0 node-1 5 2',
  ]);
  expect(JSON.parse((await settle('shard', 'list', '--json')).stdout)).toEqual(shards[0]);
});

test('the log at a glance, and read back page by page: a fault is exit code 10', async () => {
  const stats = await settle('log', 'stats');
  expect(stats.stdout).toContain('25 (2.5 for each commit)');
  expect(stats.stdout).toContain('postgres://settle:***@db/settle');
  const verified = await settle('log', 'verify', '--json');
  expect(verified.code).toBe(10);
  expect(JSON.parse(verified.stdout)).toEqual({ checked: 3, faults: verdicts['g2']?.faults });
  expect(verified.stderr).toBe('transactions read: 2\ntransactions read: 3');
});

test('settings, and where each came from', async () => {
  const shown = await settle('config', 'show', '--origin');
  expect(tight(shown.stdout)).toEqual([
    'SETTING VALUE ORIGIN',
    'port 7400 default',
    'log sqlite:.settle/log.db env SETTLE_LOG',
  ]);
  expect(JSON.parse((await settle('config', 'show', '--json')).stdout)).toEqual(config);
});
