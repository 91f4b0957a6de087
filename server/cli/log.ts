/** `settle log`: the log at a glance, and whether its records can be read back. Reads only. */
import type { Command } from 'commander';
import type { LogVerdict, LogView } from '../../client-sdk/protocol/index.ts';
import { endWith } from './exit.ts';
import { type AskOptions, clientOf, countUpTo, withAsking } from './options.ts';
import { startProgress } from './progress.ts';
import { oneLine } from './table.ts';
import type { Terminal } from './terminal.ts';

interface VerifyOptions extends AskOptions {
  readonly page?: number;
}

const pageMax = 500;

/** Adds `log` and its verbs. */
export function registerLog(program: Command, terminal: () => Terminal): void {
  const log = program
    .command('log')
    .summary('look at the log')
    .description('Look at the log of the coordinator.');
  withAsking(log.command('stats').description('Show the log at a glance.')).action(
    (options: AskOptions) => stats(options, terminal()),
  );
  withAsking(
    log
      .command('verify')
      .description('Read every record back; exit code 10 when one is not as it must be.'),
  )
    .option('--page <n>', 'transactions that are read at a time', countUpTo(pageMax))
    .action((options: VerifyOptions) => verify(options, terminal()));
}

async function stats(options: AskOptions, terminal: Terminal): Promise<void> {
  // The server made it: the parse boundary of this client.
  const view = (await clientOf(options).get('/v1/log')) as LogView;
  if (options.json) {
    terminal.print(JSON.stringify(view));
    return;
  }
  const { url, epoch, commits, rows, unknownAppends, conflicts, pendingRows, logMs } = view;
  const times = logMs === null ? '-' : `p50 ${logMs.p50} ms, p99 ${logMs.p99} ms`;
  const perCommit = commits === 0 ? '' : ` (${(rows / commits).toFixed(1)} for each commit)`;
  const fields = [
    ['log', oneLine(url, 200)],
    ['term', String(epoch)],
    ['commits', String(commits)],
    ['rows', `${rows}${perCommit}`],
    ['appends', times],
    ['unknown', String(unknownAppends)],
    ['conflicts', String(conflicts)],
    ['pending', String(pendingRows)],
  ] as const;
  for (const [name, value] of fields) {
    terminal.print(`${terminal.paint('dim', name.padEnd(10))} ${value}`);
  }
}

async function verify(options: VerifyOptions, terminal: Terminal): Promise<void> {
  const client = clientOf(options);
  const progress = startProgress(terminal, 'transactions read', null);
  const faults: LogVerdict['faults'][number][] = [];
  let checked = 0;
  let after: string | null = null;
  do {
    const query = { after: after ?? undefined, limit: options.page };
    const answer: unknown = await client.get('/v1/log/verify', query, { isLong: true });
    const page = answer as LogVerdict;
    checked += page.checked;
    faults.push(...page.faults);
    after = page.next;
    progress.reach(checked);
  } while (after !== null);
  progress.end();
  if (options.json) terminal.print(JSON.stringify({ checked, faults }));
  else {
    for (const { gid, what } of faults) terminal.print(`${gid}  ${oneLine(what, 200)}`);
    const text = faults.length === 0 ? 'all are as they must be' : `${faults.length} are not`;
    terminal.print(`${checked} transactions read: ${text}`);
  }
  if (faults.length > 0) endWith('found');
}
