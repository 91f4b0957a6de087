/**
 * `settle migrate`: brings the schema of a log, or of a participant's database, up to
 * date, or prints the SQL for people who run it themselves; and puts guards on tables.
 */
import { type Command, Option } from 'commander';
import { migrateDatabase, printSchema } from '../log/schema.ts';
import { Failure } from '../runtime/failure.ts';
import { redactUrl } from '../runtime/secret.ts';
import { type GuardOrder, guardTables, printGuards } from './guard-tables.ts';
import type { Terminal } from './terminal.ts';

interface MigrateOptions {
  readonly log?: string;
  readonly participant?: string;
  readonly print?: boolean;
  readonly guard?: readonly string[];
  readonly unguard?: readonly string[];
}

/** Adds `migrate`. */
export function registerMigrate(program: Command, terminal: () => Terminal): void {
  program
    .command('migrate')
    .summary('bring a schema up to date')
    .description(
      'Bring the schema of a log, or of a database in which business methods run, up to date. ' +
        'Safe to repeat, and safe when several run at once.',
    )
    .addOption(new Option('--log <url>', 'the log of coordinators').env('SETTLE_LOG'))
    .option('--participant <url>', 'a database in which business methods run')
    .addOption(
      tables('--guard <table>', 'refuse writes past Settle to rows of it that are locked (AT)'),
    )
    .addOption(tables('--unguard <table>', 'take the guard of this table away'))
    .option(
      '--print',
      'print the SQL instead of running it; connects to nothing, with --guard to read the keys',
    )
    .action((options: MigrateOptions) => migrate(options, terminal()));
}

/** May be given several times. */
function tables(flags: string, description: string): Option {
  return new Option(flags, `${description}; repeatable`).argParser(
    (table: string, before: readonly string[] = []) => [...before, table],
  );
}

async function migrate(options: MigrateOptions, terminal: Terminal): Promise<void> {
  const { log, participant } = options;
  const url = participant ?? log;
  if (url === undefined) {
    throw new Failure('INVALID_CONFIG', 'migrate needs --log URL or --participant URL.');
  }
  const set = participant === undefined ? 'coordinator' : 'participant';
  const orders = ordersIn(options);
  if (orders.length > 0 && participant === undefined) {
    throw new Failure('INVALID_CONFIG', 'Guards are put on tables of a --participant URL.');
  }
  if (options.print && orders.length > 0) {
    terminal.print((await printGuards(url, orders)).trimEnd());
    return;
  }
  if (options.print) {
    terminal.print((await printSchema(set, url)).trimEnd());
    return;
  }
  const applied = await migrateDatabase(set, url);
  if (applied.length === 0) terminal.say(`${redactUrl(url)} is up to date.`);
  for (const name of applied) terminal.print(`applied ${name}`);
  const guarded = orders.length === 0 ? [] : await guardTables(url, orders);
  for (const { wish, table, statements } of guarded) {
    if (statements.length > 0) terminal.print(`${wish}ed ${table}`);
    else terminal.say(`${table} is ${wish}ed already.`);
  }
}

function ordersIn({ guard = [], unguard = [] }: MigrateOptions): readonly GuardOrder[] {
  return [
    ...unguard.map((table) => ({ table, wish: 'unguard' }) as const),
    ...guard.map((table) => ({ table, wish: 'guard' }) as const),
  ];
}
