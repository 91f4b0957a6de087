/**
 * `settle tx list`: pages of transactions, for people (a table, once or again and again) or for
 * programs (--json: one object per line). Reading never changes anything.
 */
import { type Command, Option } from 'commander';
import {
  type EpochMs,
  type ListAnswer,
  limits,
  type TransactionQuery,
  type TransactionSummary,
} from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { ApiClient } from './api-client.ts';
import { type AskOptions, clientOf, countUpTo, withAsking } from './options.ts';
import { pagesOf } from './pages.ts';
import { type FilterOptions, queryOf, withFilters } from './query.ts';
import { watchStop } from './stop-signal.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';
import { paintPhase, timeText } from './transaction-text.ts';

interface ListOptions extends AskOptions, FilterOptions {
  readonly sort?: 'newest' | 'oldest';
  readonly limit: number;
  readonly cursor?: string;
  readonly watch?: boolean;
}

const listLimitDefault = 50;
const listLimitMax = 1_000_000;
const watchMs = 2_000;

/** Adds `tx list`. */
export function registerList(tx: Command, terminal: () => Terminal): void {
  const command = tx.command('list').description('List global transactions, newest first.');
  withFilters(withAsking(command, 'one JSON object per line'))
    .addOption(
      new Option('--sort <order>', 'by start; default newest').choices(['newest', 'oldest']),
    )
    .option('--limit <n>', 'how many at most', countUpTo(listLimitMax), listLimitDefault)
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .addOption(
      new Option('--watch', 'draw it again every 2 s').conflicts(['json', 'cursor'] as string[]),
    )
    .action((options: ListOptions) => list(options, terminal()));
}

async function list(options: ListOptions, terminal: Terminal): Promise<void> {
  if (options.watch === true) return watch(options, terminal);
  const client = clientOf(options);
  const found: TransactionSummary[] = [];
  const pages = askedPages(client, options, Date.now());
  let cursor: string | null = null;
  for await (const page of pages) {
    if (options.json) for (const each of page.transactions) terminal.print(JSON.stringify(each));
    else found.push(...page.transactions);
    cursor = page.nextCursor;
  }
  if (!options.json) {
    if (found.length === 0) terminal.say('No transactions.');
    else for (const line of listTable(found, terminal)) terminal.print(line);
  }
  if (cursor !== null) terminal.say(`There are more: --cursor ${cursor}`);
}

async function watch(options: ListOptions, terminal: Terminal): Promise<void> {
  if (!terminal.isScreen) throw new Failure('INVALID_REQUEST', '--watch needs a terminal.');
  const client = clientOf(options);
  const stop = watchStop();
  try {
    while (!stop.signal.aborted) {
      const found: TransactionSummary[] = [];
      for await (const page of askedPages(client, options, Date.now())) {
        found.push(...page.transactions);
      }
      const title = `${timeText(Date.now())}  ${found.length} shown, Ctrl-C ends`;
      const lines = found.length === 0 ? ['No transactions.'] : listTable(found, terminal);
      terminal.show([terminal.paint('dim', title), '', ...lines]);
      await stop.pause(watchMs);
    }
  } finally {
    stop.close();
  }
}

function askedPages(
  client: ApiClient,
  options: ListOptions,
  nowMs: EpochMs,
): AsyncGenerator<ListAnswer> {
  const { sort, cursor = null, limit } = options;
  return readPages(client, { query: queryOf(options, nowMs), sort, cursor, limit });
}

/** Which ones, in which order, from where, and how many at most. */
export interface ListOrder {
  readonly query: TransactionQuery;
  readonly sort?: 'newest' | 'oldest' | undefined;
  readonly cursor?: string | null;
  readonly limit: number;
}

/** Pages of a list, at most `limit` transactions in all. */
export function readPages(
  client: ApiClient,
  { query, sort, cursor: from = null, limit }: ListOrder,
): AsyncGenerator<ListAnswer> {
  return pagesOf({
    ...{ from, limit, pageMax: limits.pageSizeMax },
    async ask(count, cursor) {
      // The server made it: the parse boundary of this client.
      const page = await client.get('/v1/transactions', { ...query, sort, limit: count, cursor });
      return page as ListAnswer;
    },
    read: ({ transactions, nextCursor }) => ({ count: transactions.length, next: nextCursor }),
  });
}

function listTable(found: readonly TransactionSummary[], terminal: Terminal): readonly string[] {
  const head = ['GID', 'MODE', 'NAME', 'PHASE', 'STARTED', 'CAUSE', 'ATTENTION', 'LAST ERROR'];
  const rows = found.map((each) => [
    each.gid,
    each.mode,
    oneLine(each.name, 32),
    paintPhase(each.phase, terminal),
    timeText(each.startedAtMs),
    each.cause?.kind ?? '',
    each.attention === null ? '' : terminal.paint('red', each.attention.reason),
    oneLine(each.lastError ?? each.attention?.detail ?? '', 60),
  ]);
  return tableLines(
    head.map((title) => terminal.paint('dim', title)),
    rows,
  );
}
