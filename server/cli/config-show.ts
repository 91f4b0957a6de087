/** `settle config show`: the settings that a running coordinator has. Secrets never leave it. */
import type { Command } from 'commander';
import type { ConfigView } from '../../client-sdk/protocol/index.ts';
import { type AskOptions, clientOf, withAsking } from './options.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';

interface ShowOptions extends AskOptions {
  readonly origin?: boolean;
}

/** Adds `config` and its verb. */
export function registerConfig(program: Command, terminal: () => Terminal): void {
  const config = program
    .command('config')
    .summary('look at settings')
    .description('Look at settings of a running coordinator.');
  withAsking(config.command('show').description('Show the settings of the coordinator.'))
    .option('--origin', 'and where each came from')
    .action((options: ShowOptions) => show(options, terminal()));
}

async function show(options: ShowOptions, terminal: Terminal): Promise<void> {
  // The server made it: the parse boundary of this client.
  const view = (await clientOf(options).get('/v1/config')) as ConfigView;
  if (options.json) {
    terminal.print(JSON.stringify(view));
    return;
  }
  const head = ['SETTING', 'VALUE', ...(options.origin ? ['ORIGIN'] : [])];
  const rows = view.settings.map(({ name, value, origin }) => [
    name,
    oneLine(typeof value === 'string' ? value : JSON.stringify(value), 80),
    ...(options.origin ? [oneLine(origin, 80)] : []),
  ]);
  const titles = head.map((title) => terminal.paint('dim', title));
  for (const line of tableLines(titles, rows)) terminal.print(line);
}
