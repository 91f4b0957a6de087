/** What `--log` takes, what it refuses, and that no message ever repeats a password. */
import { describe, expect, it } from 'vitest';
import { openLog } from '../../server/log/index.ts';
import { parseLogUrl } from '../../server/log/log-url.ts';
import { Failure } from '../../server/runtime/failure.ts';

const secret = 'pa55-word';

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
  }
  throw new Error('it did not fail');
}

describe('the URL of a log', () => {
  it.each([
    ['memory:', 'memory', 'memory:'],
    ['sqlite:/var/lib/settle/log.db', 'sqlite', 'sqlite:/var/lib/settle/log.db'],
    ['sqlite:///var/lib/settle/log.db', 'sqlite', 'sqlite:/var/lib/settle/log.db'],
    ['sqlite:log.db', 'sqlite', 'sqlite:log.db'],
    ['./data/log.db', 'sqlite', 'sqlite:./data/log.db'],
    ['C:\\settle\\log.db', 'sqlite', 'sqlite:C:\\settle\\log.db'],
    [`postgres://u:${secret}@db:5433/settle`, 'postgres', 'postgres://db:5433/settle'],
    [`postgresql://u:${secret}@db/settle?ssl=true`, 'postgres', 'postgres://db/settle'],
    [`mysql://u:${secret}@db/settle`, 'mysql', 'mysql://db/settle'],
    [`mariadb://u:${secret}@[::1]:3307/settle`, 'mysql', 'mysql://[::1]:3307/settle'],
  ])('%s is a %s log', (text, kind, name) => {
    expect(parseLogUrl(text)).toMatchObject({ kind, name });
  });

  it('gives the driver the whole URL, under the scheme that it knows', () => {
    const text = `mariadb://u:${secret}@db:3307/settle?charset=utf8mb4`;
    const url = `mysql://u:${secret}@db:3307/settle?charset=utf8mb4`;
    expect(parseLogUrl(text)).toMatchObject({ url });
  });

  it.each([
    '',
    'sqlite:',
    'sqlite://',
    '/var/lib/settle/',
    `postgress://u:${secret}@db/settle`,
    `postgres:u:${secret}@db/settle`,
    `postgres:/u:${secret}@db/settle`,
    `postgres://u:${secret}@db:port/settle`,
    `postgres://u:${secret}@db`,
    `postgres://u:${secret}@db/`,
    `mysql://u:${secret}@/settle`,
    `mysql://u:${secret}#@db/settle`,
    `redis://:${secret}@db/0`,
  ])('refuses %j and says what it takes, without the password', (text) => {
    const failure = failureOf(() => parseLogUrl(text));
    expect(failure.code).toBe('INVALID_CONFIG');
    expect(failure.detail).toContain('sqlite:/path/to/file.db');
    expect(`${failure.message} ${failure.detail}`).not.toContain(secret);
  });

  // Port 1 is reserved and answers nobody.
  it.each(['postgres', 'mysql', 'mariadb'])('names no password when %s is away', async (scheme) => {
    const url = `${scheme}://settle:${secret}@127.0.0.1:1/settle`;
    const opening = openLog(url, { migrate: false });
    const error = await opening.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'LOG_UNAVAILABLE' });
    const shown = error instanceof Failure ? `${error.message} ${error.detail}` : '';
    expect(shown).toContain('127.0.0.1:1/settle');
    expect(shown).not.toContain(secret);
  });
});
