/**
 * The command line of the bench: reads flags into one value, or says in one line what is wrong. No
 * flag is ignored: what does not go together is refused.
 */
import { parseArgs } from 'node:util';
import { limits } from '../../client-sdk/protocol/index.ts';
import type { BenchMode, WorkerSettings } from './messages.ts';

/** Where the log is kept. */
export type LogName = 'sqlite' | 'postgres' | 'mysql' | 'memory';

/** What is measured, and how. */
export interface BenchOptions {
  readonly mode: BenchMode;
  /** Branches or steps of each transaction; 0 in mode `empty`. */
  readonly branches: number;
  readonly log: LogName;
  readonly transport: 'channel' | 'http';
  /** Under way at once, of all initiators together. */
  readonly inflight: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly warmupSeconds: number;
  readonly rollbackPercent: number;
  /** Worker processes; with layout `split`, of each kind. */
  readonly processes: number;
  readonly layout: 'one' | 'split';
  /** Of all initiators together; null: closed loop. */
  readonly ratePerSecond: number | null;
  readonly hasBarrier: boolean;
  readonly wait: WorkerSettings['wait'];
  readonly requestTimeoutMs: number | null;
  /** With what it is compared with: the floor, or in mode `at` plain local transactions. */
  readonly hasFloor: boolean;
  readonly atRows: WorkerSettings['atRows'];
  readonly isProfiled: boolean;
  readonly isJson: boolean;
}

export const usage = `usage: npm run bench -- [flags]
  --mode tcc|saga|empty|at        flow of a transaction (tcc)
  --branches K                    branches or steps of each (2); at: databases with a row to change
  --at-rows many|one              at: any of 100,000 rows, or always the same one (many)
  --log postgres|mysql|sqlite|memory  where the log is kept (postgres); at: the rows, too, if it is a server
  --transport channel|http        how participants are called (channel)
  --inflight N                    under way at once, in all (512; at 16; with --rate 8192)
  --seconds S --rounds R --warmup S   (5, 3, 3; at 5, 3, 10)
  --rollback PERCENT              so many are refused by their last branch (0)
  --processes P                   worker processes; with split, of each kind (1)
  --layout one|split              tries where their caller is, or elsewhere (one; http: split)
  --rate R                        open loop: R started per second, whatever became of the others
  --barrier                       participants write one row through the barrier into PostgreSQL
  --wait completed|decided|submitted  what initiators wait for (completed)
  --request-timeout MS            how long the SDK repeats a request (its own default)
  --no-floor                      without the floor, or the plain transactions, beside it
  --profile                       with CPU profiles and the top of them; as --no-floor
  --json                          the result as one line of JSON, the last one

       npm run bench -- --suite [flags]
  all targets one after another; a quarter of an hour. The exit code is 1 when a row could not be measured
  or transactions failed, not when a target is missed: speed is reported, not tested
  --only NAME,…                   these rows
  --seconds S                     of one round (5)
  --size PERCENT                  so many of the 1,000,000 and 100,000 transactions, to try it out (100)
  --long                          the row about steady memory takes 10 minutes
  --write-docs                    the table and the plot into docs/performance.md
  --json                          a line of JSON for each row, and one of all of them at the end`;

const strings = {
  mode: { type: 'string', default: 'tcc' },
  branches: { type: 'string', default: '2' },
  log: { type: 'string', default: 'postgres' },
  transport: { type: 'string', default: 'channel' },
  'at-rows': { type: 'string' },
  inflight: { type: 'string' },
  seconds: { type: 'string', default: '5' },
  rounds: { type: 'string', default: '3' },
  warmup: { type: 'string' },
  rollback: { type: 'string', default: '0' },
  processes: { type: 'string', default: '1' },
  layout: { type: 'string' },
  rate: { type: 'string' },
  barrier: { type: 'boolean', default: false },
  wait: { type: 'string', default: 'completed' },
  'request-timeout': { type: 'string' },
  'no-floor': { type: 'boolean', default: false },
  profile: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

class BadFlag extends Error {}

/** The options, or one line that says which flag is wrong and what it takes. */
export function readFlags(args: readonly string[]): BenchOptions | string {
  try {
    return optionsOf(parseArgs({ args: [...args], options: strings }).values);
  } catch (error) {
    if (error instanceof BadFlag) return error.message;
    if (error instanceof TypeError && 'code' in error) return error.message.split('. ')[0] ?? '';
    throw error;
  }
}

type Values = ReturnType<typeof parseArgs<{ options: typeof strings }>>['values'];

function optionsOf(values: Values): BenchOptions {
  const mode = oneOf('mode', values.mode, ['tcc', 'saga', 'empty', 'at']);
  const transport = oneOf('transport', values.transport, ['channel', 'http']);
  const wait = oneOf('wait', values.wait, ['completed', 'decided', 'submitted']);
  const split = transport === 'http' ? 'split' : 'one';
  const layout = oneOf('layout', values.layout ?? split, ['one', 'split']);
  const ratePerSecond =
    values.rate === undefined ? null : number('rate', values.rate, { min: 1, max: 1_000_000 });
  const usual = ratePerSecond !== null ? '8192' : mode === 'at' ? '16' : '512';
  const options: BenchOptions = {
    mode,
    branches: mode === 'empty' ? 0 : whole('branches', values.branches, 1, limits.branchesMax),
    log: oneOf('log', values.log, ['postgres', 'mysql', 'sqlite', 'memory']),
    transport,
    inflight: whole('inflight', values.inflight ?? usual, 1, 65_536),
    seconds: number('seconds', values.seconds, { min: 0.1, max: 86_400 }),
    rounds: whole('rounds', values.rounds, 1, 1_000),
    warmupSeconds:
      values.warmup === undefined
        ? warmupSecondsOf(mode)
        : number('warmup', values.warmup, { min: 0.1, max: 3_600 }),
    rollbackPercent: whole('rollback', values.rollback, 0, 100),
    processes: whole('processes', values.processes, 1, 64),
    layout,
    ratePerSecond,
    hasBarrier: values.barrier,
    wait,
    requestTimeoutMs:
      values['request-timeout'] === undefined
        ? null
        : whole('request-timeout', values['request-timeout'], 1, 3_600_000),
    hasFloor: !values['no-floor'] && !values.profile,
    atRows: oneOf('at-rows', values['at-rows'] ?? 'many', ['many', 'one']),
    isProfiled: values.profile,
    isJson: values.json,
  };
  if (mode !== 'at' && values['at-rows'] !== undefined) {
    throw new BadFlag('--at-rows is for --mode at');
  }
  refuseContradictions(options);
  return options;
}

/** Of mode `at` fewer run in a second, so it takes longer until V8 has compiled what they need. */
export function warmupSecondsOf(mode: BenchMode): number {
  return mode === 'at' ? 10 : 3;
}

function refuseContradictions(options: BenchOptions): void {
  const { mode, transport, layout, wait } = options;
  if (transport === 'http' && layout === 'one') {
    throw new BadFlag('--layout one does not go with --transport http: participants are apart');
  }
  if (transport === 'http' && options.hasBarrier) {
    throw new BadFlag('--barrier does not go with --transport http: the barrier is the SDK’s');
  }
  if (mode === 'empty' && (transport === 'http' || options.hasBarrier)) {
    throw new BadFlag('--mode empty has no participants: no --transport http, no --barrier');
  }
  if (mode === 'at') refuseInAt(options);
  if (wait === 'submitted' && mode !== 'saga') {
    throw new BadFlag('--wait submitted is for --mode saga; a two-phase one takes decided');
  }
  if (wait === 'decided' && mode === 'saga') {
    throw new BadFlag('--wait decided is not for --mode saga; that takes submitted');
  }
  if (options.processes > options.inflight) {
    throw new BadFlag('--inflight must be at least --processes');
  }
}

/** Its branches are databases of the process that begins. */
function refuseInAt({ layout, hasBarrier, rollbackPercent }: BenchOptions): void {
  if (layout === 'split') throw new BadFlag('--mode at has no participants apart');
  if (hasBarrier) throw new BadFlag('--mode at writes its barrier rows anyway: no --barrier');
  if (rollbackPercent > 0) throw new BadFlag('--mode at has no branch that refuses: no --rollback');
}

function oneOf<const T extends string>(flag: string, text: string, words: readonly T[]): T {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new BadFlag(`--${flag} takes ${words.join(', ')}; not "${text}"`);
  return found;
}

function number(flag: string, text: string, range: { min: number; max: number }): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= range.min && value <= range.max) return value;
  throw new BadFlag(`--${flag} takes a number from ${range.min} to ${range.max}; not "${text}"`);
}

function whole(flag: string, text: string, min: number, max: number): number {
  const value = number(flag, text, { min, max });
  if (Number.isSafeInteger(value)) return value;
  throw new BadFlag(`--${flag} takes a whole number; not "${text}"`);
}
