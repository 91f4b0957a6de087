/**
 * All commands of `settle`, in one place: a new one is one file and one line here. Nothing is parsed
 * and nothing runs by this.
 */
import { Command } from 'commander';
import { registerDemo } from '../demo/command.ts';
import { version } from '../version.ts';
import { registerAudit } from './audit.ts';
import { registerBench } from './bench.ts';
import { registerCompletion } from './completion.ts';
import { registerConfig } from './config-show.ts';
import { registerDoctor } from './doctor.ts';
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
  registerDoctor,
  registerConfig,
  registerToken,
  registerBench,
  registerDemo,
  registerCompletion,
];

/** The program with every command; parse errors throw CommanderError. */
export function buildProgram(): Command {
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
