/**
 * The file of tokens: a JSON list of names, roles and hashes, made by `settle token`. Read once at
 * the start; a file that is not understood whole stops it, for a token that is not there locks
 * somebody out and one that means something else lets somebody in.
 */
import { readFileSync } from 'node:fs';
import { isName } from '../client-sdk/protocol/index.ts';
import type { TokenEntry } from './api/access.ts';
import { Failure } from './runtime/failure.ts';

const roles = ['viewer', 'operator', 'service'] as const;

/** Reads the file. Throws Failure INVALID_CONFIG that says which entry is wrong and how. */
export function readTokens(path: string): readonly TokenEntry[] {
  const list = parsed(path);
  if (!Array.isArray(list) || list.length === 0) throw wrong(path, 'must hold a list of tokens');
  const entries = list.map((entry: unknown, index) => entryOf(path, entry, index + 1));
  for (const key of ['name', 'sha256'] as const) {
    const twice = entries.find((one, at) => entries.findIndex((o) => o[key] === one[key]) !== at);
    if (twice !== undefined)
      throw wrong(path, `has two entries with the same ${key}: ${twice.name}`);
  }
  return entries;
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw wrong(path, error instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read');
  }
}

function entryOf(path: string, entry: unknown, number: number): TokenEntry {
  const { name, role, sha256, ...rest } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  const known = roles.find((each) => each === role);
  const isWhole =
    typeof name === 'string' &&
    isName(name) &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    Object.keys(rest).length === 0;
  if (known !== undefined && isWhole) return { name, role: known, sha256 };
  const takes = `{ "name": …, "role": ${roles.map((each) => `"${each}"`).join(' | ')}, "sha256": … }`;
  throw wrong(path, `entry ${number} is not ${takes}; \`settle token\` makes one`);
}

function wrong(path: string, what: string): Failure {
  return new Failure('INVALID_CONFIG', `tokens: ${path} ${what}.`);
}
