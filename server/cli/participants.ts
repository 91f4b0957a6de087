/** `settle participant`: services and their connected processes; calls to a service stopped and let go. */
import type { Command } from 'commander';
import { isName, type ParticipantView } from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import { endWith } from './exit.ts';
import {
  type AskOptions,
  type ChangeOptions,
  clientOf,
  withAsking,
  withChange,
} from './options.ts';
import { registerPing } from './participant-ping.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';
import { ageText } from './transaction-text.ts';

const verbs = {
  drain: 'Make no new calls to a service: what it owes stays open until it is undrained.',
  undrain: 'Make calls to a service again.',
} as const;

/** Adds `participant` and its verbs. */
export function registerParticipants(program: Command, terminal: () => Terminal): void {
  const participant = program
    .command('participant')
    .summary('look at services, stop calls to one')
    .description('Look at services and their connected processes; stop calls to one.');
  withAsking(
    participant.command('list').description('List services: who is connected, and who owes what.'),
    'one JSON object per line',
  ).action((options: AskOptions) => list(options, terminal()));
  registerPing(participant, terminal);
  for (const verb of ['drain', 'undrain'] as const) {
    withChange(
      participant.command(verb).description(verbs[verb]).argument('<service>', 'its name'),
    ).action((service: string, options: ChangeOptions) =>
      turn({ verb, service }, options, terminal()),
    );
  }
}

async function list(options: AskOptions, terminal: Terminal): Promise<void> {
  // The server made it: the parse boundary of this client.
  const { participants } = (await clientOf(options).get('/v1/participants')) as {
    readonly participants: readonly ParticipantView[];
  };
  if (options.json) {
    for (const each of participants) terminal.print(JSON.stringify(each));
  } else if (participants.length === 0) terminal.say('No services.');
  else for (const line of serviceLines(participants, Date.now(), terminal)) terminal.print(line);
}

function serviceLines(
  participants: readonly ParticipantView[],
  nowMs: number,
  terminal: Terminal,
): readonly string[] {
  const head = [
    'SERVICE',
    'STATE',
    'INSTANCES',
    'METHODS',
    'IN FLIGHT',
    'OWES',
    'FOR',
    'LAST ERROR',
  ];
  return tableLines(
    head.map((title) => terminal.paint('dim', title)),
    participants.map((each) => {
      const { service, instances, owed, oldestOwedAtMs, lastError } = each;
      const methods = new Set(instances.flatMap((instance) => instance.methods));
      const calls = instances.reduce((sum, { callsInFlight }) => sum + callsInFlight, 0);
      return [
        service,
        stateText(each, terminal),
        String(instances.length),
        oneLine([...methods].join(' '), 48) || '-',
        String(calls),
        String(owed),
        oldestOwedAtMs === null ? '-' : ageText(nowMs - oldestOwedAtMs),
        lastError === null ? '-' : terminal.paint('red', oneLine(lastError, 80)),
      ];
    }),
  );
}

/** Away and owing nothing is no trouble. */
function stateText({ isDrained, instances, owed }: ParticipantView, terminal: Terminal): string {
  if (isDrained) return terminal.paint('yellow', 'drained');
  if (instances.length > 0) return terminal.paint('green', 'connected');
  return owed > 0 ? terminal.paint('red', 'away') : 'away';
}

async function turn(
  { verb, service }: { readonly verb: keyof typeof verbs; readonly service: string },
  options: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  if (!isName(service)) throw new Failure('INVALID_REQUEST', 'That is no name of a service.');
  const { reason, dryRun = false, yes = false, json } = options;
  const client = clientOf(options);
  if (terminal.isAsking && !yes && !dryRun && !(await terminal.confirm(`${verb} ${service}?`))) {
    terminal.say('Nothing was done.');
    return endWith('failure');
  }
  const path = `/v1/participants/${encodeURIComponent(service)}/${verb}`;
  const answer = (await client.post(path, { reason, dryRun })) as {
    readonly isDrained: boolean;
    readonly auditSeq: number | null;
  };
  if (json) terminal.print(JSON.stringify(answer));
  else terminal.print(`${service} ${answer.isDrained ? 'gets no new calls' : 'gets calls'}`);
  if (answer.auditSeq === null) terminal.say('A dry run: nothing was done.');
  else terminal.say(`On the record: audit ${answer.auditSeq}.`);
}
