/**
 * `settle tx`: what the coordinator knows of global transactions. Here are `show`, `explain` and
 * `tail`, which change nothing; the other verbs are in files of their own.
 */
import type { Command } from 'commander';
import type {
  DeskEvent,
  Explanation,
  TimelineAnswer,
  TimelineEntry,
  TransactionView,
} from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { ApiClient } from './api-client.ts';
import { registerExport } from './export.ts';
import { registerList } from './list.ts';
import { registerOperations } from './operations.ts';
import { type AskOptions, clientOf, gidOf, withAsking } from './options.ts';
import { type StopSignal, watchStop } from './stop-signal.ts';
import { oneLine } from './table.ts';
import type { Terminal } from './terminal.ts';
import { explanationLines, timelineLine, timelineLines } from './timeline-text.ts';
import { paintPhase, showLines, timeText } from './transaction-text.ts';

/** A transaction that is followed is looked at again after so long. */
const tailMs = 1_000;

/** Adds `tx` and its verbs. */
export function registerTransactions(program: Command, terminal: () => Terminal): void {
  const tx = program
    .command('tx')
    .summary('look at global transactions, and mend them')
    .description('Look at global transactions of every mode, and do what a human has to do.');
  registerList(tx, terminal);
  withAsking(
    tx
      .command('show')
      .description('Show one global transaction: its branches or steps, and what happened when.')
      .argument('<gid>', 'its id'),
  ).action((gid: string, options: AskOptions) => show(gid, options, terminal()));
  withAsking(
    tx
      .command('explain')
      .description('Say in plain words why it is where it is, what comes next, what you can do.')
      .argument('<gid>', 'its id'),
  ).action((gid: string, options: AskOptions) => explain(gid, options, terminal()));
  withAsking(
    tx
      .command('tail')
      .description('Print what happens to it until it ends; without a gid, to all of them.')
      .argument('[gid]', 'its id'),
    'one JSON object per line',
  ).action((gid: string | undefined, options: AskOptions) => tail(gid, options, terminal()));
  registerOperations(tx, terminal);
  registerExport(tx, terminal);
}

async function show(text: string, options: AskOptions, terminal: Terminal): Promise<void> {
  const gid = gidOf(text);
  const path = `/v1/transactions/${gid}`;
  const client = clientOf(options);
  // The server made all that is read here: the parse boundary of this client.
  const read = async () => (await client.get(path)) as TransactionView;
  const view = await read().catch(async (error: unknown) => {
    // Records that this version does not know: they are what there is to see, and it is a failure.
    const isUnreadable = error instanceof Failure && error.code === 'INTERNAL';
    const records = isUnreadable ? await timelineOrNull(client, path, terminal) : null;
    if (records === null) throw error;
    if (options.json) terminal.print(JSON.stringify({ gid, timeline: records }));
    else for (const line of timelineLines(records, terminal)) terminal.print(line);
    throw error;
  });
  const timeline = await timelineOrNull(client, path, terminal);
  if (options.json) {
    terminal.print(JSON.stringify({ ...view, timeline }));
    return;
  }
  for (const line of showLines(view, Date.now(), terminal)) terminal.print(line);
  if (timeline === null) return;
  terminal.print('');
  for (const line of timelineLines(timeline, terminal)) terminal.print(line);
}

/** What stands in the view is shown, also when its records cannot be read. */
async function timelineOrNull(
  client: ApiClient,
  path: string,
  terminal: Terminal,
): Promise<readonly TimelineEntry[] | null> {
  try {
    return ((await client.get(`${path}/timeline`)) as TimelineAnswer).entries;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    terminal.say(`The timeline cannot be had: ${error.code}: ${oneLine(error.detail, 200)}`);
    return null;
  }
}

async function explain(text: string, options: AskOptions, terminal: Terminal): Promise<void> {
  const path = `/v1/transactions/${gidOf(text)}/explanation`;
  const explanation = (await clientOf(options).get(path)) as Explanation;
  if (options.json) terminal.print(JSON.stringify(explanation));
  else for (const line of explanationLines(explanation, terminal)) terminal.print(line);
}

async function tail(
  text: string | undefined,
  options: AskOptions,
  terminal: Terminal,
): Promise<void> {
  const stop = watchStop();
  try {
    if (text === undefined) await tailAll(options, stop, terminal);
    else await tailOne(gidOf(text), options, stop, terminal);
  } finally {
    stop.close();
  }
}

async function tailOne(
  gid: string,
  options: AskOptions,
  stop: StopSignal,
  terminal: Terminal,
): Promise<void> {
  const client = clientOf(options);
  const path = `/v1/transactions/${gid}`;
  let printed = 0;
  for (;;) {
    // The view first: what it calls finished is all in the timeline that is read after it.
    const { finishedAtMs } = (await client.get(path)) as TransactionView;
    const { entries } = (await client.get(`${path}/timeline`)) as TimelineAnswer;
    for (const entry of entries.slice(printed)) {
      terminal.print(options.json ? JSON.stringify(entry) : timelineLine(entry, terminal));
    }
    printed = entries.length;
    if (finishedAtMs !== null || stop.signal.aborted) return;
    await stop.pause(tailMs);
  }
}

/** A line for each transaction that has changed, as it is when it is read. */
async function tailAll(
  options: AskOptions,
  { signal }: StopSignal,
  terminal: Terminal,
): Promise<void> {
  const client = clientOf(options);
  for await (const text of client.events('/v1/events', signal)) {
    const event = JSON.parse(text) as DeskEvent;
    if (event.kind !== 'changed') continue;
    for (const gid of event.gids) {
      const view = (await client.get(`/v1/transactions/${gid}`)) as TransactionView;
      terminal.print(options.json ? JSON.stringify(view) : changeLine(view, terminal));
    }
    if (event.isCut) terminal.say('More have changed than are shown.');
  }
}

function changeLine(view: TransactionView, terminal: Terminal): string {
  const { gid, mode, name, phase, attention } = view;
  const what = `${gid}  ${mode}  ${oneLine(name || '-', 32)}  ${paintPhase(phase, terminal)}`;
  const need = attention === null ? '' : `  ${terminal.paint('red', attention.reason)}`;
  return `${timeText(Date.now())}  ${what}${need}`;
}
