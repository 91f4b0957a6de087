/**
 * `settle migrate`: brings the schema of a log, or of a participant's database, up to
 * date, or prints the SQL for people who run it themselves.
 */
import { type Command, Option } from 'commander';
import { migrateDatabase, printSchema } from '../log/schema.ts';
import { Failure } from '../runtime/failure.ts';
import { redactUrl } from '../runtime/secret.ts';
import type { Terminal } from './terminal.ts';

interface MigrateOptions {
  readonly log?: string;
  readonly participant?: string;
  readonly print?: boolean;
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
    .option('--print', 'print the SQL instead of running it; connects to nothing')
    .action((options: MigrateOptions) => migrate(options, terminal()));
}

async function migrate(options: MigrateOptions, terminal: Terminal): Promise<void> {
  const { log, participant } = options;
  const url = participant ?? log;
  if (url === undefined) {
    throw new Failure('INVALID_CONFIG', 'migrate needs --log URL or --participant URL.');
  }
  const set = participant === undefined ? 'coordinator' : 'participant';
  if (options.print) {
    terminal.print((await printSchema(set, url)).trimEnd());
    return;
  }
  const applied = await migrateDatabase(set, url);
  if (applied.length === 0) terminal.say(`${redactUrl(url)} is up to date.`);
  for (const name of applied) terminal.print(`applied ${name}`);
}
