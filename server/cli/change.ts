/**
 * How a change of transactions is made from the command line: looked at first, asked where somebody
 * sits, done, told. Guards: nobody changes more than he was shown the number of, many are never
 * changed without a yes, and a dry run sends nothing but dry runs.
 */
import {
  type Gid,
  limits,
  type OperationAnswer,
  type OperationRequest,
  type OperationResult,
  type TransactionQuery,
} from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { ApiClient } from './api-client.ts';
import { endWith } from './exit.ts';
import { readPages } from './list.ts';
import type { ChangeOptions } from './options.ts';
import { startProgress } from './progress.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';
import { paintPhase } from './transaction-text.ts';

/** What is to be done, without whom it is done to and why. */
export type Named = Pick<OperationRequest, 'action' | 'branchId' | 'operation' | 'result'>;

/** A change and whom it is done to. */
export interface Change {
  readonly named: Named;
  readonly target: { readonly gids: readonly Gid[] } | { readonly query: TransactionQuery };
  readonly client: ApiClient;
}

/** Of what would be done, shown before the question. */
const previewRows = 10;

/** Does it, or tells what would be done. Exit code: see {@link endBy}. */
export async function change(
  change: Change,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  if ('query' in change.target) await changeMany(change, change.target.query, options, terminal);
  else await changeNamed(change, change.target.gids, options, terminal);
}

async function changeNamed(
  change: Change,
  gids: readonly Gid[],
  options: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  const parts = partsOf(gids);
  const mustAsk = terminal.isAsking && options.yes !== true && options.dryRun !== true;
  if (mustAsk) {
    const [first = []] = parts;
    preview(await send(change, options, { gids: first, dryRun: true }), terminal);
    if (!(await agreed(change.named, gids.length, terminal))) return;
  }
  await sendParts(change, parts, options, terminal);
}

async function changeMany(
  change: Change,
  query: TransactionQuery,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  const seen = await send(change, options, { query, dryRun: true });
  terminal.say(`${countText(seen.matched)} found.`);
  if (options.dryRun === true || seen.matched === 0) return tell([seen], change, options, terminal);
  if (options.yes !== true) {
    if (!terminal.isAsking) {
      const how = 'give --yes to go on, or --dry-run to hear what would be done';
      throw new Failure('INVALID_REQUEST', `Nobody can be asked here: ${how}.`);
    }
    preview(seen, terminal);
    if (!(await agreed(change.named, seen.matched, terminal))) return;
  }
  if (seen.matched <= limits.operationGidsMax) {
    const done = await send(change, options, { query, countMax: seen.matched });
    return tell([done], change, options, terminal);
  }
  // Asking with the query again would find the same first ones: what was retried is still open.
  const gids = await gidsOf(change.client, query, seen.matched);
  await sendParts(change, partsOf(gids), options, terminal);
}

/** All that the query finds; CONFLICT when there are more by now than were shown. */
async function gidsOf(
  client: ApiClient,
  query: TransactionQuery,
  countMax: number,
): Promise<readonly Gid[]> {
  const gids: Gid[] = [];
  const open = { ...query, outcome: 'open' } as const;
  for await (const page of readPages(client, { query: open, limit: countMax + 1 })) {
    gids.push(...page.transactions.map(({ gid }) => gid));
  }
  if (gids.length <= countMax) return gids;
  throw new Failure('CONFLICT', `it finds more than ${countMax} by now: look again`);
}

async function sendParts(
  change: Change,
  parts: readonly (readonly Gid[])[],
  options: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  const answers: OperationAnswer[] = [];
  const total = parts.reduce((sum, gids) => sum + gids.length, 0);
  const progress = parts.length > 1 ? startProgress(terminal, change.named.action, total) : null;
  let done = 0;
  progress?.reach(0);
  try {
    for (const gids of parts) {
      answers.push(await send(change, options, { gids, dryRun: options.dryRun === true }));
      done += gids.length;
      progress?.reach(done);
    }
  } finally {
    progress?.end();
    // Also when a later part fails: what was done before it must be known.
    if (answers.length > 0) tell(answers, change, options, terminal);
  }
}

async function send(
  { named, client }: Change,
  { reason }: ChangeOptions,
  rest: Pick<OperationRequest, 'gids' | 'query' | 'dryRun' | 'countMax'>,
): Promise<OperationAnswer> {
  // The server made it: the parse boundary of this client.
  return (await client.post('/v1/operations', { ...named, reason, ...rest })) as OperationAnswer;
}

function partsOf(gids: readonly Gid[]): readonly (readonly Gid[])[] {
  const size = limits.operationGidsMax;
  return Array.from({ length: Math.ceil(gids.length / size) }, (_, part) =>
    gids.slice(part * size, (part + 1) * size),
  );
}

function preview({ results }: OperationAnswer, terminal: Terminal): void {
  terminal.say('This would be done:');
  for (const line of resultLines(results.slice(0, previewRows), terminal)) terminal.say(line);
  if (results.length > previewRows) terminal.say('…');
}

async function agreed({ action }: Named, count: number, terminal: Terminal): Promise<boolean> {
  const isAgreed = await terminal.confirm(`${action} ${countText(count)}?`);
  if (!isAgreed) {
    terminal.say('Nothing was done.');
    endWith('failure');
  }
  return isAgreed;
}

function tell(
  answers: readonly OperationAnswer[],
  { named }: Change,
  options: ChangeOptions,
  terminal: Terminal,
): void {
  const results = answers.flatMap((answer) => answer.results);
  if (options.json) for (const answer of answers) terminal.print(JSON.stringify(answer));
  else if (results.length > 0) {
    for (const line of resultLines(results, terminal)) terminal.print(line);
  }
  const left = answers.reduce((sum, { matched }) => sum + matched, 0) - results.length;
  if (left > 0) terminal.say(`And ${left} more.`);
  const seqs = answers.flatMap(({ auditSeq }) => auditSeq ?? []);
  if (seqs.length > 0) terminal.say(`On the record: audit ${seqs.join(', ')}.`);
  else terminal.say('A dry run: nothing was done.');
  if (seqs.length > 0 && named.action === 'retry') sayAsked(results, terminal);
  endBy(results);
}

/** A retry changes no phase by itself, and looks as if nothing had happened: what comes of it does. */
function sayAsked(results: readonly OperationResult[], terminal: Terminal): void {
  const [first, second] = results.filter(({ error }) => error === null);
  if (first === undefined) return;
  const which = second === undefined ? ` ${first.gid}` : '';
  terminal.say(`Asked; watch with: settle tx tail${which}`);
}

/** One that is refused ends as its refusal does; of many, any refused one with `conflict`. */
function endBy(results: readonly OperationResult[]): void {
  const [first] = results;
  if (results.length === 1 && first?.error) throw new Failure(first.error.code, first.error.detail);
  if (results.some(({ error }) => error !== null)) endWith('conflict');
}

function resultLines(results: readonly OperationResult[], terminal: Terminal): readonly string[] {
  const phase = (of: OperationResult['before']) => (of === null ? '-' : paintPhase(of, terminal));
  return tableLines(
    ['GID', 'NAME', 'BEFORE', 'AFTER', 'ERROR'].map((title) => terminal.paint('dim', title)),
    results.map(({ gid, name, before, after, error }) => [
      gid,
      oneLine(name, 32) || '-',
      phase(before),
      phase(after),
      error === null ? '' : terminal.paint('red', `${error.code}: ${oneLine(error.detail, 100)}`),
    ]),
  );
}

function countText(count: number): string {
  return count === 1 ? '1 transaction' : `${count} transactions`;
}
