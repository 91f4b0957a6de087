/** Small parts of the server that have rules of their own: ids, failures, the operator's log, tables. */
import { describe, expect, test } from 'vitest';
import { errorTable, isErrorCode, isGid } from '../../client-sdk/protocol/index.ts';
import { exitCodeOf, failureLine } from '../../server/cli/exit.ts';
import { oneLine, tableLines } from '../../server/cli/table.ts';
import { createLogger } from '../../server/observe/log.ts';
import { exposition } from '../../server/observe/metrics.ts';
import { Failure } from '../../server/runtime/failure.ts';
import { createHistogram, percentilesOf } from '../../server/runtime/histogram.ts';
import { newGid } from '../../server/runtime/id.ts';

describe('gids', () => {
  test('are UUIDs of version 7 with the time in front', () => {
    const gid = newGid(0x0123_4567_89ab);
    expect(gid).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(isGid(gid)).toBe(true);
  });

  test('differ within one millisecond and sort by time', () => {
    const many = new Set(Array.from({ length: 1_000 }, () => newGid(5)));
    expect(many.size).toBe(1_000);
    expect(newGid(5) < newGid(6)).toBe(true);
  });
});

describe('failures', () => {
  test('one line with title, detail and remedy', () => {
    const { title, remedy } = errorTable.PORT_TAKEN;
    const failure = new Failure('PORT_TAKEN', '127.0.0.1:7400\n is in use');
    expect(failureLine(failure)).toBe(
      `settle: PORT_TAKEN: ${title} 127.0.0.1:7400 is in use. ${remedy}`,
    );
  });

  test('an option that is missing is said, not the shapes of HTTP', () => {
    const failure = new Failure('INVALID_REQUEST', 'Nobody can be asked here: give --yes.');
    expect(failureLine(failure)).toBe(
      'settle: INVALID_REQUEST: Nobody can be asked here: give --yes.',
    );
  });

  test('anything else is INTERNAL, without a stack', () => {
    const line = failureLine(new TypeError('boom'));
    expect(line).toContain('settle: INTERNAL: ');
    expect(line).toContain('boom');
    expect(line).not.toContain(' at ');
  });

  test('every code ends with a documented exit code', () => {
    for (const code of Object.keys(errorTable)) {
      if (isErrorCode(code)) expect([1, 2, 3, 4, 5, 6, 7, 75]).toContain(exitCodeOf(code));
    }
    expect(exitCodeOf('INVALID_CONFIG')).toBe(2);
    expect(exitCodeOf('ALREADY_COMMITTED')).toBe(4);
    expect(exitCodeOf('FENCED')).toBe(75);
    // `lock list` of a resource that nobody has.
    expect(exitCodeOf('METHOD_NOT_OFFERED')).toBe(3);
  });
});

test("the operator's log never shows payloads, results and credentials", () => {
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(line) });
  logger.info({ payload: 'topsecret', call: { result: 'topsecret', gid: 'g' } }, 'asked');
  logger.info({ req: { headers: { authorization: 'topsecret', cookie: 'topsecret' } } }, 'came in');
  logger.info({ token: 'topsecret', session: { token: 'topsecret', who: 'ann' } }, 'logged in');
  expect(lines.join('')).not.toContain('topsecret');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', call: { gid: 'g' } });
});

test('exposition escapes help and label values', () => {
  const text = exposition([
    { name: 'a', help: 'x\ny\\', type: 'gauge', samples: [{ labels: { l: '"\n\\' }, value: 1 }] },
  ]);
  expect(text).toBe('# HELP a x\\ny\\\\\n# TYPE a gauge\na{l="\\"\\n\\\\"} 1\n');
});

test('exposition sums histograms up, in the unit of their name', () => {
  const value = { bounds: [1, 10], counts: [2, 0, 1], sum: 1_002 };
  const samples = [{ labels: { mode: 'saga' }, value, divisor: 1_000 }];
  const text = exposition([{ name: 'a_seconds', help: 'x', type: 'histogram', samples }]);
  expect(text.split('\n').slice(1, -1)).toEqual([
    '# TYPE a_seconds histogram',
    'a_seconds_bucket{mode="saga",le="0.001"} 2',
    'a_seconds_bucket{mode="saga",le="0.01"} 2',
    'a_seconds_bucket{mode="saga",le="+Inf"} 3',
    'a_seconds_sum{mode="saga"} 1.002',
    'a_seconds_count{mode="saga"} 3',
  ]);
});

describe('histograms', () => {
  test('a value that is a bound is in its bucket, what is above all is in the last one', () => {
    const histogram = createHistogram([1, 2]);
    for (const value of [0, 1, 1.5, 2, 3]) histogram.note(value);
    expect(histogram.counts()).toEqual({ bounds: [1, 2], counts: [2, 2, 1], sum: 7.5 });
  });

  test('percentiles lie inside of their bucket, and are null for nothing', () => {
    expect(percentilesOf({ bounds: [10, 20], counts: [0, 0, 0] })).toBeNull();
    expect(percentilesOf({ bounds: [10, 20], counts: [98, 2, 0] })).toEqual({
      p50: 5.102,
      p99: 15,
    });
    expect(percentilesOf({ bounds: [10, 20], counts: [0, 0, 1] })).toEqual({ p50: 20, p99: 20 });
  });
});

describe('tables', () => {
  test('columns are as wide as their widest cell, colours not counted', () => {
    expect(tableLines(['A', 'B'], [['\u001b[1mlong\u001b[22m', 'x']])).toEqual([
      'A     B',
      '\u001b[1mlong\u001b[22m  x',
    ]);
  });

  test('text from elsewhere cannot move the cursor or break the line', () => {
    expect(oneLine('a\u001b[2Jb\r\nc', 10)).toBe('ab c');
    expect(oneLine('abcdef', 4)).toBe('abc…');
  });
});
