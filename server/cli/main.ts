#!/usr/bin/env node
/**
 * The command `settle`: builds the commands, runs one, and turns whatever went wrong into one line
 * and an exit code. What a command does is in its own file; a new one is one file and one line here.
 */
import { Command, CommanderError } from 'commander';
import { registerDemo } from '../demo/command.ts';
import { version } from '../version.ts';
import { registerAudit } from './audit.ts';
import { registerCompletion } from './completion.ts';
import { registerConfig } from './config-show.ts';
import { codeOf, exitCodeOf, exitCodes, failureLine } from './exit.ts';
import { registerLocks } from './locks.ts';
import { registerLog } from './log.ts';
import { registerMigrate } from './migrate.ts';
import { registerNodes, registerShards } from './nodes.ts';
import { registerBranches } from './operations.ts';
import { registerParticipants } from './participants.ts';
import { registerServe } from './serve.ts';
import { processTerminal, type Terminal } from './terminal.ts';
import { registerToken } from './token.ts';
import { registerTransactions } from './transactions.ts';
import { registerUndo } from './undo.ts';

/** In the order of the help. */
const commands = [
  registerServe,
  registerMigrate,
  registerTransactions,
  registerBranches,
  registerUndo,
  registerLocks,
  registerParticipants,
  registerNodes,
  registerShards,
  registerLog,
  registerAudit,
  registerConfig,
  registerToken,
  registerDemo,
  registerCompletion,
];

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
  for (const register of commands) register(program, terminal);
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
