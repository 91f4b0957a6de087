/** The command line of the suite: reads its flags, or says in one line what is wrong. */
import { parseArgs } from 'node:util';

/** What to run, and how. */
export interface SuiteOptions {
  /** Names of rows; null: all of them. */
  readonly only: readonly string[] | null;
  /** Of one round. */
  readonly seconds: number;
  /** So many percent of the transactions that a row needs. */
  readonly sizePercent: number;
  readonly isLong: boolean;
  readonly writesDocs: boolean;
  readonly isJson: boolean;
}

const strings = {
  suite: { type: 'boolean' },
  only: { type: 'string' },
  seconds: { type: 'string', default: '5' },
  size: { type: 'string', default: '100' },
  long: { type: 'boolean', default: false },
  'write-docs': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

/** The options, or what is wrong. `names`: of all rows. */
export function readSuiteFlags(
  args: readonly string[],
  names: readonly string[],
): SuiteOptions | string {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    if (error instanceof TypeError && 'code' in error) return error.message.split('. ')[0] ?? '';
    throw error;
  }
  const only = values.only?.split(',') ?? null;
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) return `--only takes ${names.join(', ')}; not "${unknown}"`;
  const [seconds, sizePercent] = [Number(values.seconds), Number(values.size)];
  if (!(seconds >= 0.5 && seconds <= 600)) return '--seconds takes a number from 0.5 to 600';
  if (!(sizePercent >= 0.1 && sizePercent <= 100)) return '--size takes a number from 0.1 to 100';
  const writesDocs = values['write-docs'];
  if (writesDocs && (only !== null || sizePercent < 100)) {
    return '--write-docs wants the whole suite: it goes neither with --only nor with --size';
  }
  return { only, seconds, sizePercent, isLong: values.long, writesDocs, isJson: values.json };
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: strings }).values;
}
