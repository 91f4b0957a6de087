import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type ConfigSources, loadConfig } from '../../server/config.ts';
import { settings } from '../../server/config-table.ts';
import { Failure } from '../../server/runtime/failure.ts';
import { redactUrl } from '../../server/runtime/secret.ts';

const folder = mkdtempSync(join(tmpdir(), 'settle-config-'));

function load(sources: Partial<ConfigSources> = {}) {
  return loadConfig({ flags: {}, env: {}, folder, ...sources });
}

function problemOf(sources: Partial<ConfigSources>): string {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof Failure && error.code === 'INVALID_CONFIG') return error.detail;
  }
  return 'no failure';
}

function fileWith(content: unknown): string {
  const path = join(mkdtempSync(join(folder, 'file-')), 'settle.config.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('defaults', () => {
  test('an empty machine gives an embedded log on loopback', () => {
    const { config, origins } = load();
    expect(config).toMatchObject({ host: '127.0.0.1', port: 7400, migrate: true });
    expect(config.log.reveal()).toBe('sqlite:.settle/settle.db');
    expect(new Set(Object.values(origins))).toEqual(new Set(['default']));
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('the schema of a server log is changed only on request', () => {
    const log = 'postgres://db/settle';
    expect(load({ flags: { log } }).config.migrate).toBe(false);
    expect(load({ flags: { log, migrate: true } }).config.migrate).toBe(true);
  });
});

describe('precedence', () => {
  test('flag before environment before file before default, with origins', () => {
    const file = fileWith({ port: 1, callTimeoutMs: '3s', retryMaxMs: 4_000 });
    const { config, origins } = load({
      file,
      env: { SETTLE_PORT: '2', SETTLE_CALL_TIMEOUT: '2s', SETTLE_RETRY_MAX: '' },
      flags: { port: '3' },
    });
    expect(config).toMatchObject({ port: 3, callTimeoutMs: 2_000, retryMaxMs: 4_000 });
    expect(origins).toMatchObject({
      port: 'flag --port',
      callTimeoutMs: 'env SETTLE_CALL_TIMEOUT',
      retryMaxMs: `file ${file}`,
      host: 'default',
    });
  });

  test('settle.config.json is found in the folder', () => {
    const file = fileWith({ node: 'alpha' });
    expect(load({ folder: join(file, '..') }).config.node).toBe('alpha');
  });
});

describe('bad values', () => {
  test('all of them are named at once, with origin and what they take', () => {
    const detail = problemOf({
      flags: { port: '65536' },
      env: { SETTLE_LOG: 'redis://u:topsecret@h', SETTLE_CALL_TIMEOUT: '10 s' },
      file: fileWith({ logLevel: 'loud', colour: 'red' }),
    });
    expect(detail).toContain('port (flag --port) takes a whole number from 0 to 65535');
    expect(detail).toContain('log (env SETTLE_LOG) takes sqlite:FILE');
    expect(detail).toContain('callTimeoutMs (env SETTLE_CALL_TIMEOUT) takes a time such as');
    expect(detail).toMatch(/logLevel \(file .*\) takes silent, fatal/);
    expect(detail).toMatch(/has no setting called colour/);
    expect(detail).not.toContain('topsecret');
  });

  test.each([
    ['not there', '/nonexistent/settle.json', 'cannot be read'],
    ['no JSON', fileWith('{'), 'is not valid JSON'],
    ['a list', fileWith([]), 'must hold one JSON object'],
    ['__proto__', fileWith('{"__proto__":{"port":1}}'), 'has no setting called __proto__'],
  ])('a file that is %s', (_what, file, detail) => {
    expect(problemOf({ file })).toContain(detail);
  });

  test.each(['http://a/path', 'http://a?b', 'ftp://a', 'a:80', '*', 'http://*', 'http://u@a'])(
    'callback origin %s',
    (origin) => {
      expect(problemOf({ flags: { allowCallbacks: [origin] } })).toContain('takes origins');
    },
  );
});

describe('values', () => {
  test('origins come as a repeated flag or with commas, in their short form', () => {
    const flags = { allowCallbacks: ['http://A:80/', 'https://b:8443,http://127.0.0.1:1'] };
    expect(load({ flags }).config.allowCallbacks).toEqual([
      'http://a',
      'https://b:8443',
      'http://127.0.0.1:1',
    ]);
  });

  test.each([
    ['250ms', 250],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['77', 77],
    [78, 78],
  ])('time %s', (given, ms) => {
    expect(load({ flags: { callTimeoutMs: given } }).config.callTimeoutMs).toBe(ms);
  });

  test.each(['9ms', '3601s', '-1', '1.5', '1e3', '', 'soon', null, {}])('no time: %s', (given) => {
    expect(problemOf({ flags: { callTimeoutMs: given } })).toContain('callTimeoutMs');
  });
});

describe('secrets', () => {
  test('no way of printing a configuration shows the password', () => {
    const { config } = load({ flags: { log: 'mysql://settle:topsecret@db/settle' } });
    const printed = [inspect(config), JSON.stringify(config), `${config.log}`, String(config.log)];
    for (const text of printed) {
      expect(text).not.toContain('topsecret');
      expect(text).not.toBe('');
    }
    expect(`${config.log}`).toBe('mysql://settle:***@db/settle');
    expect(config.log.reveal()).toContain('topsecret');
  });

  test.each([
    ['postgres://u:p@h/d', 'postgres://u:***@h/d'],
    ['postgres://u:p@p#?/:@h/d', 'postgres://u:***@h/d'],
    ['postgres://:p@h/d', 'postgres://:***@h/d'],
    ['postgres://u@h/d', 'postgres://u@h/d'],
    ['postgres://h/d?user=u&password=p&x=1', 'postgres://h/d?user=u&password=***&x=1'],
    ['sqlite:./a:b@c.db', 'sqlite:./a:b@c.db'],
  ])('%s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });
});

test('docs/reference/configuration.md has one row per setting, equal to the table', () => {
  const page = readFileSync(
    new URL('../../docs/reference/configuration.md', import.meta.url),
    'utf8',
  );
  const rows = Object.entries(settings).map(([key, setting]) => {
    const flag = `--${setting.flag}${setting.argument === null ? '' : ` ${setting.argument}`}`;
    const { env, shownDefault, takes, summary } = setting;
    return `| \`${key}\` | \`${flag}\` | \`${env}\` | ${shownDefault} | ${takes} | ${summary} |`;
  });
  const shown = page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.replaceAll(/ +\|/g, ' |'));
  expect(shown).toEqual(rows);
});
