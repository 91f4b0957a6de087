/** `settle participant ping`: whether the processes of a service are there, and how fast they answer. */
import type { Command } from 'commander';
import type { PingAnswer, PingView } from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import { endWith } from './exit.ts';
import { type AskOptions, clientOf, countUpTo, withAsking } from './options.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';

interface PingOptions extends AskOptions {
  readonly all?: boolean;
  readonly timeout?: number;
}

const timeoutMsMax = 10_000;

/** Adds `participant ping`. */
export function registerPing(participant: Command, terminal: () => Terminal): void {
  const command = participant
    .command('ping')
    .description('Ask each instance of a service whether it is there; nothing is changed by it.')
    .argument('[name]', 'a service, or the address of a participant of an open transaction');
  withAsking(command, 'one JSON object per line')
    .option('--all', 'every service, and every such address')
    .option('--timeout <ms>', 'how long to wait for each; default 2000', countUpTo(timeoutMsMax))
    .action((name: string | undefined, options: PingOptions) => ping(name, options, terminal()));
}

async function ping(
  name: string | undefined,
  options: PingOptions,
  terminal: Terminal,
): Promise<void> {
  if ((name === undefined) === (options.all !== true)) {
    throw new Failure('INVALID_REQUEST', 'Name a service or an address, or say --all.');
  }
  const query = { name, timeoutMs: options.timeout };
  // The server made it: the parse boundary of this client.
  const answer = (await clientOf(options).get('/v1/participants/ping', query)) as PingAnswer;
  const { pings, left } = answer;
  if (options.json) for (const each of pings) terminal.print(JSON.stringify(each));
  else if (pings.length === 0) terminal.say('No services.');
  else for (const line of pingLines(pings, terminal)) terminal.print(line);
  if (left > 0) terminal.say(`And ${left} more were not asked: name them.`);
  const isThere = ({ outcome }: PingView) => outcome === 'answered' || outcome === 'unsupported';
  if (!pings.every(isThere)) endWith('conflict');
}

function pingLines(pings: readonly PingView[], terminal: Terminal): readonly string[] {
  const head = ['PARTICIPANT', 'INSTANCE', 'ROUND TRIP', 'VERSION', 'ANSWER'];
  return tableLines(
    head.map((title) => terminal.paint('dim', title)),
    pings.map((each) => {
      const { name, instance, roundTripMs, version } = each;
      const took = roundTripMs === null ? '-' : `${roundTripMs.toFixed(1)} ms`;
      return [oneLine(name, 64), instance ?? '-', took, version ?? '-', wordOf(each, terminal)];
    }),
  );
}

function wordOf({ outcome, detail }: PingView, terminal: Terminal): string {
  const words = oneLine(detail ?? '', 160);
  switch (outcome) {
    case 'answered':
      return terminal.paint('green', 'is there');
    case 'unsupported':
      return terminal.paint('yellow', words);
    case 'noAnswer':
      return terminal.paint('yellow', words);
    case 'unreachable':
      return terminal.paint('red', words);
    default:
      return outcome satisfies never;
  }
}
