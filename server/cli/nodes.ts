/** `settle node list` and `settle shard list`: which coordinators there are and what each works on. */
import type { Command } from 'commander';
import type { NodeView, ShardView } from '../../client-sdk/protocol/index.ts';
import { type AskOptions, clientOf, withAsking } from './options.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';
import { timeText } from './transaction-text.ts';

/** Adds `node`. */
export function registerNodes(program: Command, terminal: () => Terminal): void {
  const node = program
    .command('node')
    .summary('look at coordinators')
    .description('Look at coordinators.');
  withAsking(
    node.command('list').description('List coordinators.'),
    'one JSON object per line',
  ).action((options: AskOptions) => listNodes(options, terminal()));
}

/** Adds `shard`. */
export function registerShards(program: Command, terminal: () => Terminal): void {
  const shard = program
    .command('shard')
    .summary('look at the slices of the log')
    .description('Look at the slices of the log.');
  withAsking(
    shard.command('list').description('List the slices of the log, and who works on each.'),
    'one JSON object per line',
  ).action((options: AskOptions) => listShards(options, terminal()));
}

async function listNodes(options: AskOptions, terminal: Terminal): Promise<void> {
  // The server made it: the parse boundary of this client.
  const { nodes } = (await clientOf(options).get('/v1/nodes')) as {
    readonly nodes: readonly NodeView[];
  };
  if (options.json) {
    for (const each of nodes) terminal.print(JSON.stringify(each));
    return;
  }
  const head = ['NODE', 'ADDRESS', 'TERM', 'STATE', 'VERSION', 'STARTED'];
  const rows = nodes.map(({ node, address, epoch, isThis, state, version, startedAtMs }) => [
    oneLine(isThis ? `${node} *` : node, 48),
    oneLine(address, 64),
    String(epoch),
    oneLine(state, 24),
    oneLine(version, 24),
    timeText(startedAtMs),
  ]);
  const titles = head.map((title) => terminal.paint('dim', title));
  for (const line of tableLines(titles, rows)) terminal.print(line);
  if (nodes.some(({ isThis }) => isThis)) terminal.say('* answered this');
}

async function listShards(options: AskOptions, terminal: Terminal): Promise<void> {
  const { shards } = (await clientOf(options).get('/v1/shards')) as {
    readonly shards: readonly ShardView[];
  };
  if (options.json) {
    for (const each of shards) terminal.print(JSON.stringify(each));
    return;
  }
  const rows = shards.map(({ shard, node, open, attention }) => [
    String(shard),
    oneLine(node, 48),
    String(open),
    attention === 0 ? '0' : terminal.paint('red', String(attention)),
  ]);
  const titles = ['SHARD', 'NODE', 'OPEN', 'ATTENTION'].map((title) =>
    terminal.paint('dim', title),
  );
  for (const line of tableLines(titles, rows)) terminal.print(line);
}
