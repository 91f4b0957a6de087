/**
 * `settle tx list` and `settle tx show`: what the coordinator knows, for people (tables) or for
 * programs (--json: one object per line). They change nothing.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  isGid,
  type ListAnswer,
  limits,
  type TransactionSummary,
  type TransactionView,
} from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';
import { paintPhase, showLines, timeText } from './transaction-text.ts';

interface ListOptions {
  readonly url: string;
  readonly json?: boolean;
  readonly mode?: string;
  readonly name?: string;
  readonly outcome?: string;
  readonly attention?: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

interface ShowOptions {
  readonly url: string;
  readonly json?: boolean;
}

const listLimitDefault = 50;
const listLimitMax = 1_000_000;

/** Adds `tx` and its commands. */
export function registerTransactions(program: Command, terminal: () => Terminal): void {
  const tx = program
    .command('tx')
    .summary('look at global transactions')
    .description('Look at global transactions of a running coordinator, of every mode.');
  tx.command('list')
    .description('List global transactions, newest first.')
    .addOption(urlOption())
    .option('--json', 'one JSON object per line')
    .addOption(new Option('--mode <mode>', 'only this mode').choices(['transaction', 'saga']))
    .option('--name <name>', 'only those with this name')
    .addOption(
      new Option('--outcome <outcome>', 'only those').choices(['open', 'committed', 'rolledBack']),
    )
    .option('--attention', 'only those that need a human')
    .option('--limit <n>', 'how many at most', countOf, listLimitDefault)
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .action((options: ListOptions) => list(options, terminal()));
  tx.command('show')
    .description('Show one global transaction with its branches or steps.')
    .argument('<gid>', 'its id')
    .addOption(urlOption())
    .option('--json', 'one JSON object')
    .action((gid: string, options: ShowOptions) => show(gid, options, terminal()));
}

function urlOption(): Option {
  return new Option('--url <url>', 'address of the coordinator')
    .default('http://127.0.0.1:7400')
    .env('SETTLE_URL');
}

function countOf(text: string): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= listLimitMax) return count;
  throw new InvalidArgumentError(`It takes a whole number from 1 to ${listLimitMax}.`);
}

async function list(options: ListOptions, terminal: Terminal): Promise<void> {
  const client = createApiClient(options.url);
  const found: TransactionSummary[] = [];
  let cursor: string | null = options.cursor ?? null;
  let left = options.limit;
  do {
    const page = await readPage(client, options, { cursor, limit: left });
    if (options.json) for (const each of page.transactions) terminal.print(JSON.stringify(each));
    else found.push(...page.transactions);
    left -= page.transactions.length;
    cursor = page.nextCursor;
  } while (cursor !== null && left > 0);
  if (!options.json) {
    if (found.length === 0) terminal.say('No transactions.');
    else for (const line of listTable(found, terminal)) terminal.print(line);
  }
  if (cursor !== null) terminal.say(`There are more: --cursor ${cursor}`);
}

async function readPage(
  client: ApiClient,
  options: ListOptions,
  page: { readonly cursor: string | null; readonly limit: number },
): Promise<ListAnswer> {
  // The server made it: the parse boundary of this client.
  return (await client.get('/v1/transactions', {
    mode: options.mode,
    name: options.name,
    outcome: options.outcome,
    attention: options.attention === true ? 'true' : undefined,
    limit: String(Math.min(page.limit, limits.pageSizeMax)),
    cursor: page.cursor ?? undefined,
  })) as ListAnswer;
}

function listTable(found: readonly TransactionSummary[], terminal: Terminal): readonly string[] {
  const head = ['GID', 'MODE', 'NAME', 'PHASE', 'STARTED', 'CAUSE', 'ATTENTION'];
  const rows = found.map((each) => [
    each.gid,
    each.mode,
    oneLine(each.name, 32),
    paintPhase(each.phase, terminal),
    timeText(each.startedAtMs),
    each.cause?.kind ?? '',
    each.attention === null ? '' : terminal.paint('red', each.attention.reason),
  ]);
  return tableLines(
    head.map((title) => terminal.paint('dim', title)),
    rows,
  );
}

async function show(gid: string, options: ShowOptions, terminal: Terminal): Promise<void> {
  if (!isGid(gid)) throw new Failure('INVALID_REQUEST', `${oneLine(gid, 80)} cannot be a gid.`);
  const client = createApiClient(options.url);
  const view = (await client.get(`/v1/transactions/${gid}`)) as TransactionView;
  if (options.json) {
    terminal.print(JSON.stringify(view));
    return;
  }
  for (const line of showLines(view, Date.now(), terminal)) terminal.print(line);
}
