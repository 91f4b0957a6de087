/** The small parts of the SDK: durations, gids, errors, context headers; and that a process can end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { gidOf } from '../../client-sdk/context.ts';
import { type Duration, durationMs } from '../../client-sdk/duration.ts';
import { RetryableError, reasonOf, SettleError, TerminalError } from '../../client-sdk/errors.ts';
import { newGid } from '../../client-sdk/gid.ts';
import { isGid } from '../../client-sdk/protocol/index.ts';
import { ScriptedCoordinator } from './scripted-coordinator.ts';

describe('durations', () => {
  const range = { min: 10, max: 3_600_000 };

  test.each([
    [10, 10],
    ['10ms', 10],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['1h', 3_600_000],
  ] as const)('%s is %d ms', (duration, ms) => {
    expect(durationMs('timeout', duration, range)).toBe(ms);
  });

  test.each([9, 3_600_001, Number.NaN, '10', '10 s', '-1s', '1d', '', '2h', 'Infinitys'])(
    '%j is none in this range',
    (duration) => {
      // As it could come from a file.
      const run = () => durationMs('timeout', duration as Duration, range);
      expect(run).toThrow(/timeout is .*; it takes 10 to 3600000 milliseconds/);
    },
  );
});

test('gids are UUIDv7 text in the order of their time', () => {
  const version7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const gids = [newGid(0), newGid(1_700_000_000_000), newGid(1_700_000_000_001), newGid()];
  for (const gid of gids) expect(gid).toMatch(version7);
  expect(gids.every(isGid)).toBe(true);
  expect([...gids].sort()).toEqual(gids);
  expect(newGid(0).startsWith('00000000-0000-7')).toBe(true);
  expect(new Set(Array.from({ length: 10_000 }, () => newGid(0))).size).toBe(10_000);
});

describe('errors', () => {
  test('say code, title, detail and what to do', () => {
    const cause = new Error('below');
    const error = new SettleError('UNREACHABLE', 'connect ECONNREFUSED.', { gid: 'g', cause });
    expect(error.message).toBe(
      'UNREACHABLE: The coordinator could not be reached — connect ECONNREFUSED. ' +
        'Check the url and that `settle server` runs there. (gid g)',
    );
    expect(error).toMatchObject({ name: 'SettleError', retryable: true, gid: 'g', cause });
    expect(new SettleError('NO_TRANSACTION', '').message).toBe(
      'NO_TRANSACTION: A branch was called outside of a global transaction. ' +
        'Call it inside `settle.transaction(…)`, or carry the context over with the settle-gid header.',
    );
  });

  test('of business methods keep what they were given', () => {
    const cause = new Error('below');
    expect(new TerminalError('no', { cause })).toMatchObject({ name: 'TerminalError', cause });
    expect(new RetryableError('later', { retryAfterMs: 5 })).toMatchObject({
      name: 'RetryableError',
      retryAfterMs: 5,
    });
  });

  test('a reason is a text of at most 512 characters', () => {
    expect(reasonOf(new Error('x'.repeat(600)))).toHaveLength(512);
    expect([reasonOf('text'), reasonOf(undefined), reasonOf(new TypeError())]).toEqual([
      'text',
      'undefined',
      'TypeError',
    ]);
  });
});

test.each([
  ['gid-1', 'gid-1'],
  [{ 'settle-gid': 'gid-1' }, 'gid-1'],
  [{ 'settle-gid': ['gid-1', 'gid-2'] }, 'gid-1'],
  [new Headers({ 'Settle-Gid': 'gid-1' }), 'gid-1'],
  [{}, null],
  [{ 'settle-gid': undefined }, null],
  [{ 'settle-gid': [] }, null],
  [new Headers(), null],
])('the gid of %o is %s', (from, gid) => {
  expect(gidOf(from)).toBe(gid);
});

test('a process ends by itself after close, though lines were cut and requests rested', async () => {
  await using coordinator = await ScriptedCoordinator.start();
  coordinator
    .next('get', (asked) => asked.cut())
    .next('get', () => undefined)
    .next('get', (asked) => asked.problem('OVERLOADED', { retryAfterMs: 10 }));
  const index = new URL('../../client-sdk/index.ts', import.meta.url);
  const script = `
    import { connect } from ${JSON.stringify(index.href)};
    const settle = await connect({ url: '${coordinator.url}', service: 'bank' });
    const asked = settle.get('a');
    settle.get('b');
    await settle.transaction({ timeout: '1h' }, (tx) => tx.headers());
    await asked;
    const abort = new AbortController();
    const options = { timeout: '1h', signal: abort.signal };
    const aborted = settle.transaction(options, (tx) => {
      const headers = tx.headers();
      abort.abort();
      return headers;
    });
    await aborted.catch(() => undefined);
    await settle.close();
    process.stdout.write('closed\\n');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  onTestFinished(() => void child.kill('SIGKILL'));
  const [code] = await once(child, 'exit');
  expect(output.trim().split('\n').at(-1), output).toBe('closed');
  expect(code).toBe(0);
});
