/**
 * The one reader of settings: flags > environment > file > defaults, parsed once into one frozen
 * object, with the origin of each value. Guards the invariant that nothing else in the server reads
 * the environment, and that a bad or unknown setting stops the start instead of being guessed at.
 */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { ConfigView, Json } from '../client-sdk/protocol/index.ts';
import { type Setting, type SettingKey, type SettingValue, settings } from './config-table.ts';
import { Failure } from './runtime/failure.ts';

/** All settings of a server. Frozen. The log URL is a secret: printing it hides the password. */
export type Config = { readonly [K in SettingKey]: SettingValue<K> };

/** Where a value came from: `flag --port`, `env SETTLE_PORT`, `file settle.config.json`, `default`. */
export type Origin = string;

/** Where each value came from, as far as it is known. */
export type Origins = Readonly<Partial<Record<SettingKey, Origin>>>;

/** The settings and where each came from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly origins: Readonly<Record<SettingKey, Origin>>;
}

/** What the outside gives; `flags` by setting key, as the command line parsed them. */
export interface ConfigSources {
  readonly flags: Readonly<Partial<Record<SettingKey, unknown>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder in which settle.config.json and relative paths are looked for. */
  readonly folder: string;
  /** `--config FILE`; without it settle.config.json is read if it is there. */
  readonly file?: string | undefined;
}

const defaultFile = 'settle.config.json';

/**
 * Reads every setting. Throws Failure INVALID_CONFIG that names each bad setting, its origin and
 * what it takes, all of them at once. An empty environment variable counts as not set.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const problems: string[] = [];
  const file = readConfigFile(sources, problems);
  const values: Partial<Record<SettingKey, unknown>> = {};
  const origins: Partial<Record<SettingKey, Origin>> = {};
  for (const [key, setting] of entriesOf(settings)) {
    const found = findValue(key, setting, sources, file);
    if (found === null) continue;
    origins[key] = found.origin;
    const parsed = setting.parse(found.value);
    if (parsed.ok) values[key] = parsed.value;
    else problems.push(`${key} (${found.origin}) takes ${setting.takes}`);
  }
  if (problems.length > 0) throw new Failure('INVALID_CONFIG', `${problems.join('; ')}.`);
  const context = { hostname: hostname(), given: values };
  for (const [key, setting] of entriesOf(settings)) {
    if (origins[key] !== undefined) continue;
    values[key] = setting.fallback(context);
    origins[key] = 'default';
  }
  // Every key of the table has been set by now, each by its own parser: the parse boundary.
  return {
    config: Object.freeze(values) as Config,
    origins: Object.freeze(origins) as LoadedConfig['origins'],
  };
}

/** Every setting as people may see it: secrets are hidden, a default is called one. */
export function configView(config: Config, origins: Origins): ConfigView {
  const settings = Object.entries(config).map(([name, value]) => {
    // Secrets turn themselves into what may be shown; the rest is plain.
    const shown = JSON.parse(JSON.stringify(value)) as Json;
    return { name, value: shown, origin: origins[name as SettingKey] ?? 'default' };
  });
  return { settings };
}

interface ConfigFile {
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
}

function findValue(
  key: SettingKey,
  setting: Setting<unknown>,
  sources: ConfigSources,
  file: ConfigFile | null,
): { value: unknown; origin: Origin } | null {
  const flag = sources.flags[key];
  if (flag !== undefined) return { value: flag, origin: `flag --${setting.flag}` };
  const variable = sources.env[setting.env];
  if (variable !== undefined && variable !== '') {
    return { value: variable, origin: `env ${setting.env}` };
  }
  if (file !== null && Object.hasOwn(file.values, key)) {
    return { value: file.values[key], origin: `file ${file.name}` };
  }
  return null;
}

function readConfigFile(sources: ConfigSources, problems: string[]): ConfigFile | null {
  const named = sources.file ?? (sources.env['SETTLE_CONFIG'] || undefined);
  const name = named ?? defaultFile;
  const path = resolve(sources.folder, name);
  if (named === undefined && !existsSync(path)) return null;
  const values = parseFile(path);
  if (typeof values === 'string') {
    problems.push(`file ${name} ${values}`);
    return null;
  }
  for (const key of Object.keys(values)) {
    if (!Object.hasOwn(settings, key)) problems.push(`file ${name} has no setting called ${key}`);
  }
  return { name, values };
}

/** The object in the file, or what is wrong with it. */
function parseFile(path: string): Readonly<Record<string, unknown>> | string {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      return 'must hold one JSON object';
    }
    return { ...value };
  } catch (error) {
    return error instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read';
  }
}

function entriesOf(table: typeof settings): readonly [SettingKey, Setting<unknown>][] {
  return Object.entries(table) as [SettingKey, Setting<unknown>][];
}
