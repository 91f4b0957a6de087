#!/usr/bin/env node
/**
 * The command `settle`: runs one command, and turns whatever went wrong into one line and an exit
 * code. What a command does is in its own file; program.ts lists them.
 */
import { CommanderError } from 'commander';
import { codeOf, exitCodeOf, exitCodes, failureLine } from './exit.ts';
import { buildProgram } from './program.ts';

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
