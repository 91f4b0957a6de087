/**
 * The suites that mutants are tried against: what to run, and how long it may take. The order in which
 * one mutant meets them is its own business.
 */

/** Some test files of one of vitest's projects. */
interface Suite {
  readonly kind: 'suite';
  /** Many times what it takes on an idle machine: only a hang comes so far, and a hang is a kill. */
  readonly limitMs: number;
  readonly project: 'unit' | 'system';
  readonly files: readonly string[];
  /** Only tests whose full name matches. */
  readonly only?: string;
  /** Of one test, where a bug makes it wait for what never comes. */
  readonly testMsMax?: number;
}

/** A share of the simulator, played by a program of ours. */
interface Seeds {
  readonly kind: 'seeds';
  /** As above. */
  readonly limitMs: number;
  readonly seeds: number;
}

/** How a killer is run. */
export type Killer = Suite | Seeds;

const contract = 'keeps the contract';
/** All but the many random ones. */
const planned = '^(?!.*random interleavings)';
const faults = 'wait for an append in flight|the answer to the commit is lost';

/** All killers, the quick ones first. */
export const killers = {
  apply: unit('test/core/apply.test.ts', 'test/core/backoff.test.ts'),
  traces: unit('test/core/traces.test.ts'),
  stories: unit('test/core/properties.test.ts'),
  engine: { ...unit('test/engine'), testMsMax: 10_000 },
  'memory-log': system(60_000, 'test/conformance/memory-log.test.ts'),
  host: unit('test/sdk/host.test.ts'),
  'row-key': unit('test/sdk/row-key.test.ts'),
  'wait-graph': unit('test/engine/wait-graph.test.ts', 'test/engine/deadlocks.test.ts'),
  waits: unit('test/sdk/waits.test.ts'),
  'restore-plan': unit('test/unit/at/restore-plan.test.ts'),
  sim: { kind: 'seeds', seeds: 200, limitMs: 120_000 },
  barrier: system(120_000, 'test/conformance/barrier-sqlite.test.ts'),
  sdk: { ...unit('test/sdk'), testMsMax: 10_000 },
  'sqlite-log': system(180_000, 'test/conformance/sqlite-log.test.ts', contract),
  'mysql-log': system(180_000, 'test/conformance/mysql-log.test.ts', contract),
  'postgres-log': system(180_000, 'test/conformance/postgres-log.test.ts', contract),
  'barrier-mysql': system(180_000, 'test/conformance/barrier-mysql.test.ts', planned),
  'barrier-postgres': system(180_000, 'test/conformance/barrier-postgres.test.ts', planned),
  'at-postgres': at('test/at/postgres.test.ts'),
  'at-commits': at('test/at/local-commits.test.ts'),
  'at-free-rows': at('test/at/free-rows.test.ts'),
  'at-free-rows-mysql': at('test/at/free-rows-mysql.test.ts'),
  'at-once-mysql': at('test/at/mysql-at-once.test.ts'),
  'at-settings-mysql': at('test/at/mysql-settings.test.ts'),
  'at-eager': at('test/at/eager-commits.test.ts'),
  'at-lone-commit': at('test/at/lone-commit.test.ts'),
  'at-scope-end': at('test/at/scope-end.test.ts'),
  'at-given-up': at('test/at/given-up.test.ts'),
  'at-undo': at('test/at/postgres-undo.test.ts'),
  'at-resolve': at('test/at/resolve-postgres.test.ts'),
  'at-holes': at('test/at/holes-postgres.test.ts'),
  'at-deadlocks': at('test/at/deadlocks-postgres.test.ts'),
  'at-guard': { ...at('test/at/guard.test.ts'), only: 'on postgres' },
  'at-guard-of-mysql': { ...at('test/at/guard.test.ts'), only: 'on mysql' },
  'at-guard-postgres': at('test/at/guard-postgres.test.ts'),
  'at-guard-mysql': at('test/at/guard-mysql.test.ts'),
  'sqlite-faults': faulty('test/conformance/sqlite-log.test.ts', 'kill -9|I/O error|may not grow'),
  'mysql-faults': faulty('test/conformance/mysql-log.test.ts', faults),
  'postgres-faults': faulty('test/conformance/postgres-log.test.ts', faults),
  'sim-long': { kind: 'seeds', seeds: 1_000, limitMs: 360_000 },
} as const satisfies Record<string, Killer>;

/** The name of a killer. */
export type KillerName = keyof typeof killers;

function unit(...files: readonly string[]): Suite {
  return { kind: 'suite', project: 'unit', files, limitMs: 120_000 };
}

function system(limitMs: number, file: string, only?: string): Suite {
  const files = [file];
  return { kind: 'suite', project: 'system', files, limitMs, ...(only && { only }) };
}

/** Tests of a second or less each, which wait for ever when a lock or an answer is missing. */
function faulty(file: string, only: string): Suite {
  return { ...system(180_000, file, only), testMsMax: 10_000 };
}

/** Tests of some seconds, a coordinator and two databases each; a lock too many holds one up for ever. */
function at(file: string): Suite {
  return { ...system(240_000, file), testMsMax: 20_000 };
}
