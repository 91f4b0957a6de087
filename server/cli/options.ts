/**
 * Options that commands share, and what is read from them: where the coordinator is, who asks, why,
 * how the answer is shown. Guard: a token comes from a file or the environment, never from the
 * command line, where every user of the machine could read it.
 */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { isGid, limits } from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { Secret } from '../runtime/secret.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { oneLine } from './table.ts';

/** What every command that asks a coordinator takes. */
export interface AskOptions {
  readonly url: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** What every change takes besides. */
export interface ChangeOptions extends AskOptions {
  readonly reason: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Adds `--url`, `--token-file` and `--json`. `json`: what is printed then. */
export function withAsking(command: Command, json = 'one JSON object'): Command {
  return command
    .addOption(
      new Option('--url <url>', 'address of the coordinator')
        .default('http://127.0.0.1:7400')
        .env('SETTLE_URL'),
    )
    .option('--token-file <file>', 'holds your token (or set SETTLE_TOKEN to the token)')
    .option('--json', json);
}

/** Adds those, and what a change needs: `--reason`, `--dry-run`, `--yes`. */
export function withChange(command: Command): Command {
  return withAsking(command, 'one JSON object for each request')
    .addOption(
      new Option('--reason <text>', 'why; kept in the audit')
        .argParser(reasonOf)
        .makeOptionMandatory(),
    )
    .option('--dry-run', 'tell what would be done, and do nothing')
    .option('-y, --yes', 'do not ask whether to go on');
}

/** A client of the coordinator that the options name. Throws Failure INVALID_CONFIG. */
export function clientOf(options: AskOptions): ApiClient {
  return createApiClient(options.url, { token: tokenOf(options), user: userName() });
}

/** Who sits here: as the environment says (cron and containers do not), else as the system does. */
function userName(): string | undefined {
  const said = process.env['USER'] || process.env['LOGNAME'];
  if (said) return said;
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that no user has: then nobody is named.
    return undefined;
  }
}

/** The token that the options, or the environment, name. Throws Failure INVALID_CONFIG for no token. */
export function tokenOf({ tokenFile }: AskOptions): Secret | null {
  const text = tokenFile === undefined ? process.env['SETTLE_TOKEN'] : readToken(tokenFile);
  const token = text?.trim() ?? '';
  if (token === '' && tokenFile === undefined) return null;
  if (!/^[!-~]{1,512}$/.test(token)) {
    const where = tokenFile === undefined ? 'SETTLE_TOKEN' : `--token-file ${tokenFile}`;
    throw new Failure('INVALID_CONFIG', `${where} holds no token.`);
  }
  const hidden = () => '***';
  return { reveal: () => token, toString: hidden, toJSON: hidden };
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure('INVALID_CONFIG', `--token-file ${path} cannot be read.`, { cause: error });
  }
}

function reasonOf(text: string): string {
  const reason = text.trim();
  if (reason.length >= 1 && reason.length <= limits.reasonLengthMax) return reason;
  throw new InvalidArgumentError(`It takes 1 to ${limits.reasonLengthMax} characters.`);
}

/** A parser of whole numbers from 1 to `max`. */
export function countUpTo(max: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,15}$/.test(text) ? Number(text) : 0;
    if (count >= 1 && count <= max) return count;
    throw new InvalidArgumentError(`It takes a whole number from 1 to ${max}.`);
  };
}

/** May be given several times. */
export function repeatable(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
};

/** `30s`, `5m`, `2h`, `7d` as milliseconds. */
export function ageOf(text: string): number {
  const [, number, unit = ''] = /^(\d{1,6}(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const ms = Number(number) * (unitMs[unit] ?? Number.NaN);
  if (Number.isFinite(ms)) return Math.round(ms);
  throw new InvalidArgumentError('It takes a time such as 30s, 5m, 2h or 7d.');
}

/** The argument, if it can be a gid. Throws Failure INVALID_REQUEST. */
export function gidOf(text: string): string {
  if (isGid(text)) return text;
  throw new Failure('INVALID_REQUEST', `${oneLine(text, 80)} cannot be a gid.`);
}
