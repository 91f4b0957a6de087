/**
 * The table of settings: name, flag, environment variable, default and what each takes. The
 * command line makes its options from it, and a test holds docs/reference/configuration.md to it.
 */
import { isName, limits } from '../client-sdk/protocol/index.ts';
import { engineDefaults } from './engine/limits.ts';
import { type LogTarget, parseLogUrl } from './log/log-url.ts';
import { type LogLevel, logLevels } from './observe/log.ts';
import { type Secret, secretUrl } from './runtime/secret.ts';

/** What a parser says: the value, or that it cannot be used. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false };

/** What defaults may depend on. `given`: the settings that were set, by key. */
export interface DefaultContext {
  readonly hostname: string;
  readonly given: Readonly<Record<string, unknown>>;
}

/** One setting. */
export interface Setting<T> {
  /** Without the dashes. */
  readonly flag: string;
  readonly env: string;
  /** What stands behind the flag in the help; null for a switch. */
  readonly argument: string | null;
  /** One line for help and docs. */
  readonly summary: string;
  /** What it takes, to be read after "takes". */
  readonly takes: string;
  /** The default as the docs show it. */
  readonly shownDefault: string;
  /** Texts come from flags and environment, JSON values from the file. */
  parse(value: unknown): Parsed<T>;
  fallback(context: DefaultContext): T;
}

const bad = { ok: false } as const;
const good = <T>(value: T): Parsed<T> => ({ ok: true, value });

/** An integer in a range, from text or number. */
function integer(min: number, max: number): (value: unknown) => Parsed<number> {
  return (value) => {
    const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) return bad;
    return number >= min && number <= max ? good(number) : bad;
  };
}

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds as a number, or text such as `250ms`, `10s`, `5m`, `1h`. */
function duration(min: number, max: number): (value: unknown) => Parsed<number> {
  const inRange = integer(min, max);
  return (value) => {
    const match = typeof value === 'string' ? /^(\d{1,12})(ms|s|m|h)$/.exec(value) : null;
    if (match === null) return inRange(value);
    const unit = match[2] as keyof typeof units;
    return inRange(Number(match[1]) * units[unit]);
  };
}

function truth(value: unknown): Parsed<boolean> {
  if (value === true || value === 'true' || value === '1') return good(true);
  if (value === false || value === 'false' || value === '0') return good(false);
  return bad;
}

function hostText(value: unknown): Parsed<string> {
  return typeof value === 'string' && /^[A-Za-z0-9.:_-]{1,253}$/.test(value) ? good(value) : bad;
}

function nodeName(value: unknown): Parsed<string> {
  return typeof value === 'string' && isName(value) ? good(value) : bad;
}

function filePath(value: unknown): Parsed<string | null> {
  return typeof value === 'string' && value !== '' && value.length <= 4_096 ? good(value) : bad;
}

function level(value: unknown): Parsed<LogLevel> {
  const found = logLevels.find((each) => each === value);
  return found === undefined ? bad : good(found);
}

function logUrl(value: unknown): Parsed<Secret> {
  return typeof value === 'string' && targetOf(value) !== null ? good(secretUrl(value)) : bad;
}

/** The log's own reader of URLs decides; its message is not used, for ours names the origin, too. */
function targetOf(url: string): LogTarget | null {
  try {
    return parseLogUrl(url);
  } catch {
    return null;
  }
}

/** True for logs that live in this process; their schema is ours to bring up to date. */
export function isEmbeddedLog(url: string): boolean {
  const kind = targetOf(url)?.kind;
  return kind === 'memory' || kind === 'sqlite';
}

function origins(value: unknown): Parsed<readonly string[]> {
  const list = typeof value === 'string' ? value.split(',') : value;
  if (!Array.isArray(list)) return bad;
  const parsed: string[] = [];
  for (const each of list.flatMap((item: unknown) => String(item).split(','))) {
    const url = URL.parse(each.trim());
    if (url === null || !/^https?:$/.test(url.protocol)) return bad;
    if (url.pathname !== '/' || /[?#@*]/.test(each)) return bad;
    parsed.push(url.origin);
  }
  return good(parsed);
}

const hour = 3_600_000;
const day = 24 * hour;
const shown = (ms: number): string => (ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`);
const span = (min: string, max: string): string =>
  `a time such as 250ms, 10s or 5m, ${min} to ${max}`;

interface Plain<T> {
  readonly flag: string;
  readonly argument: string;
  readonly summary: string;
  readonly takes: string;
  readonly shownDefault: string;
  readonly parse: (value: unknown) => Parsed<T>;
  readonly value: T;
}

/** A setting whose environment variable follows from its flag and whose default is a constant. */
function plain<T>({ value, ...setting }: Plain<T>): Setting<T> {
  return { ...setting, env: envOf(setting.flag), fallback: () => value };
}

function envOf(flag: string): string {
  return `SETTLE_${flag.replaceAll('-', '_').toUpperCase()}`;
}

function time(flag: string, summary: string, value: number, range: readonly [number, number]) {
  const takes = span(shown(range[0]), shown(range[1]));
  const parse = duration(range[0], range[1]);
  return plain({
    flag,
    argument: 'TIME',
    summary,
    takes,
    shownDefault: shown(value),
    parse,
    value,
  });
}

function count(flag: string, summary: string, value: number, range: readonly [number, number]) {
  const takes = `a whole number from ${range[0]} to ${range[1]}`;
  const parse = integer(range[0], range[1]);
  return plain({ flag, argument: 'N', summary, takes, shownDefault: String(value), parse, value });
}

/** Every setting by its key in settle.config.json. */
export const settings = {
  host: plain({
    flag: 'host',
    argument: 'HOST',
    summary: 'Address to listen on. One that is not loopback needs `tokens`.',
    takes: 'a host name or an IP address',
    shownDefault: '127.0.0.1',
    parse: hostText,
    value: '127.0.0.1',
  }),
  tokens: {
    flag: 'tokens',
    env: 'SETTLE_TOKENS',
    argument: 'FILE',
    summary:
      'Tokens and their roles, as `settle token` makes them. With it nobody gets in without one.',
    takes: 'the path of a JSON file',
    shownDefault: 'none',
    parse: filePath,
    fallback: () => null,
  } satisfies Setting<string | null>,
  allowAnonymous: {
    flag: 'allow-anonymous',
    env: 'SETTLE_ALLOW_ANONYMOUS',
    argument: null,
    summary: 'Listen on other addresses than loopback without tokens: the network is the guard.',
    takes: 'true or false',
    shownDefault: 'false',
    parse: truth,
    fallback: () => false,
  } satisfies Setting<boolean>,
  readOnly: {
    flag: 'read-only',
    env: 'SETTLE_READ_ONLY',
    argument: null,
    summary: 'Operators may look here and change nothing; transactions go on as always.',
    takes: 'true or false',
    shownDefault: 'false',
    parse: truth,
    fallback: () => false,
  } satisfies Setting<boolean>,
  port: count('port', 'Port to listen on; 0 takes any free one.', 7400, [0, 65_535]),
  log: {
    flag: 'log',
    env: 'SETTLE_LOG',
    argument: 'URL',
    summary: 'Where the log is kept. Passwords in it are never printed.',
    takes: 'sqlite:FILE, postgres://user@host/database, mysql://user@host/database or memory:',
    shownDefault: 'sqlite:.settle/settle.db',
    parse: logUrl,
    fallback: () => secretUrl('sqlite:.settle/settle.db'),
  } satisfies Setting<Secret>,
  node: {
    flag: 'node',
    env: 'SETTLE_NODE',
    argument: 'NAME',
    summary: 'Name of this coordinator in the log; keep it the same over restarts.',
    takes: 'a name: a letter or digit, then up to 127 of A-Z a-z 0-9 . _ : / -',
    shownDefault: 'the host name',
    parse: nodeName,
    fallback: ({ hostname }) => (isName(hostname) ? hostname : 'coordinator'),
  } satisfies Setting<string>,
  allowCallbacks: plain({
    flag: 'allow-callback',
    argument: 'ORIGIN',
    summary: 'Origin that HTTP participants may have. The flag may be repeated.',
    takes: 'origins such as http://10.0.0.5:8080, separated by commas (in the file: a list)',
    shownDefault: 'none',
    parse: origins,
    value: [],
  }),
  transactionTimeoutMs: time(
    'transaction-timeout',
    'Deadline of a transaction that names none; undecided by then, it rolls back.',
    engineDefaults.transactionTimeoutMs,
    [limits.timeoutMsMin, limits.timeoutMsMax],
  ),
  callTimeoutMs: time(
    'call-timeout',
    'How long one call to a participant may take; then its outcome is unknown and it is asked again.',
    engineDefaults.callTimeoutMs,
    [10, hour],
  ),
  retryInitialMs: time(
    'retry-initial',
    'Wait before the first retry; it doubles with each one, with jitter.',
    engineDefaults.retry.initialMs,
    [1, day],
  ),
  retryMaxMs: time(
    'retry-max',
    'The longest wait between two retries.',
    engineDefaults.retry.capMs,
    [1, day],
  ),
  attentionAfterAttempts: count(
    'attention-after-attempts',
    'So many attempts of one operation raise attention; retries go on.',
    engineDefaults.attentionAfterAttempts,
    [1, 1_000_000],
  ),
  attentionAfterMs: time(
    'attention-after',
    'So long without an answer raises attention; retries go on.',
    engineDefaults.attentionAfterMs,
    [1, 30 * day],
  ),
  openTransactionsMax: count(
    'open-transactions-max',
    'Open transactions this coordinator holds; more are refused OVERLOADED. About 4 KiB each.',
    engineDefaults.openTransactionsMax,
    [1, 10_000_000],
  ),
  pendingRowsMax: count(
    'pending-rows-max',
    'Rows that may wait for the log; beyond it new work is refused OVERLOADED.',
    engineDefaults.pendingRowsMax,
    [256, 1_000_000],
  ),
  recoveryPerSecond: count(
    'recovery-per-second',
    'Open transactions read back per second at start.',
    engineDefaults.recoveryPerSecond,
    [1, 1_000_000],
  ),
  stopGraceMs: time('stop-grace', 'How long a graceful stop waits for work in flight.', 10_000, [
    0,
    hour,
  ]),
  logLevel: plain<LogLevel>({
    flag: 'log-level',
    argument: 'LEVEL',
    summary: 'Least level of the lines on standard output.',
    takes: logLevels.join(', '),
    shownDefault: 'info',
    parse: level,
    value: 'info',
  }),
  tracing: {
    flag: 'tracing',
    env: 'SETTLE_TRACING',
    argument: null,
    summary: 'Make OpenTelemetry spans. The process needs an SDK: docs/operations/tracing.md.',
    takes: 'true or false',
    shownDefault: 'false',
    parse: truth,
    fallback: () => false,
  } satisfies Setting<boolean>,
  migrate: {
    flag: 'migrate',
    env: 'SETTLE_MIGRATE',
    argument: null,
    summary: 'Bring the schema of the log up to date at start.',
    takes: 'true or false',
    shownDefault: 'true for sqlite: and memory:, false for a database server',
    parse: truth,
    fallback: ({ given }) => {
      const log = given['log'] as Secret | undefined;
      return log === undefined || isEmbeddedLog(log.reveal());
    },
  } satisfies Setting<boolean>,
} as const;

/** Names of the settings. */
export type SettingKey = keyof typeof settings;
/** Type of a setting's value. */
export type SettingValue<K extends SettingKey> =
  (typeof settings)[K] extends Setting<infer T> ? T : never;
