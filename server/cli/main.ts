#!/usr/bin/env node
/**
 * The command `settle`: runs one command, and turns whatever went wrong into one line and an exit
 * code. What a command does is in its own file; program.ts lists them.
 */
import { CommanderError } from 'commander';
import { codeOf, exitCodeOf, exitCodes, failureLine } from './exit.ts';
import { buildProgram } from './program.ts';
import { Command, CommanderError } from 'commander';
import { registerDemo } from '../demo/command.ts';
import { version } from '../version.ts';
import { registerDoctor } from './doctor.ts';
import { codeOf, exitCodeOf, exitCodes, failureLine } from './exit.ts';
import { registerMigrate } from './migrate.ts';
import { registerServe } from './serve.ts';
import { processTerminal, type Terminal } from './terminal.ts';
import { registerToken } from './token.ts';
import { registerTransactions } from './transactions.ts';

function buildProgram(): Command {
  const program = new Command('settle');
  const terminal = (): Terminal => processTerminal(program.opts()['color'] !== false);
  program
    .description('Settle: global transactions over many databases, all or nothing.')
    .version(version, '-V, --version', 'show the version')
    .option('--no-color', 'plain text (so does NO_COLOR)')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('Run it with --help to see what it takes.')
    .configureHelp({ sortOptions: false, showGlobalOptions: false })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'settle: ')) })
    .exitOverride();
  registerServe(program, terminal);
  registerMigrate(program, terminal);
  registerTransactions(program, terminal);
  registerToken(program, terminal);
  registerDoctor(program, terminal);
  registerDemo(program, terminal);
  return program;
}

/** Exit code of a command line that commander refused, or answered by itself (help, version). */
function usageCode(error: CommanderError): number {
  return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
}

async function main(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failure);
  });
  try {
    await buildProgram().parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = usageCode(error);
      return;
    }
    process.stderr.write(`${failureLine(error)}\n`);
    const code = codeOf(error);
    process.exitCode = code === null ? exitCodes.failure : exitCodeOf(code);
  }
}

await main(process.argv);
