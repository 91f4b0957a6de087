/**
 * `settle demo`: money moves between accounts in six databases, through TCC and sagas, and none of
 * it is lost; with --trouble, one night on call. Only the options are here; what it does is loaded
 * when it is asked for.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Terminal } from '../cli/terminal.ts';
import type { DemoFlags } from './session.ts';
import type { TroubleFlags } from './trouble/session.ts';

const defaults = { transfers: 1_000, seed: 1, inflight: 256 } as const;

/** Adds `demo`. `terminal`: where it writes. */
export function registerDemo(program: Command, terminal: () => Terminal): void {
  program
    .command('demo')
    .summary('move money between six databases, and check that none is lost')
    .description(
      'Start a coordinator, three participants with six SQLite shards of accounts, and two ' +
        'initiators; run transfers by TCC and by sagas, some of which must fail; then read the ' +
        'shards and check every transfer against its outcome. Exit code 1 when anything is wrong.',
    )
    .option('--transfers <n>', 'how many', integer(1, 1_000_000), defaults.transfers)
    .option(
      '--seed <n>',
      'the same seed makes the same transfers',
      integer(0, 2 ** 31),
      defaults.seed,
    )
    .option('--inflight <n>', 'at once, per initiator', integer(1, 4_096), defaults.inflight)
    .option('--kill', 'kill -9 coordinator, participants and initiators in turn')
    .option('--log <url>', "the coordinator's log: postgres://…, mysql://… (default: SQLite)")
    .option('--keep', 'leave everything running at the end, until Ctrl-C')
    .addOption(
      new Option(
        '--trouble',
        'instead: leave three failures behind, for you to find and mend',
      ).conflicts(['transfers', 'seed', 'inflight', 'kill', 'keep']),
    )
    .option('--port <n>', 'of the coordinator with --trouble (default: 7400)', integer(0, 65_535))
    .option('--json', 'one JSON object as the last line of standard output')
    .action(async (flags: DemoFlags & TroubleFlags & { readonly trouble?: true }) => {
      if (flags.trouble === true) {
        const { runTrouble } = await import('./trouble/session.ts');
        return runTrouble(flags, terminal());
      }
      const { runSession } = await import('./session.ts');
      await runSession(flags, terminal());
    });
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`);
  };
}
