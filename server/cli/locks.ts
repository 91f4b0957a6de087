/**
 * `settle lock`: rows that global transactions hold in the database of a resource, as its participant
 * tells them, and (lock-graph.ts) who waits for whom. Reads only.
 */
import { type Command, Option } from 'commander';
import {
  type HeldLock,
  type LockOrder,
  type LocksAnswer,
  limits,
  type TransactionView,
} from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { ApiClient } from './api-client.ts';
import { registerLockGraph } from './lock-graph.ts';
import { type AskOptions, clientOf, countUpTo, gidOf, withAsking } from './options.ts';
import { pagesOf } from './pages.ts';
import { isRow, type RowName, rowNameIn } from './row-name.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';
import { ageText, showLines } from './transaction-text.ts';

interface ListOptions extends AskOptions {
  readonly table?: string;
  readonly gid?: string;
  readonly order?: LockOrder;
  readonly limit: number;
}

interface Place {
  readonly service: string;
  readonly resource: string;
}

const listLimitDefault = 50;
const listLimitMax = 100_000;
/** `lock who` reads so many locks of a table and then gives up. */
const searchedMax = 100_000;

/** Adds `lock` and its verbs. */
export function registerLocks(program: Command, terminal: () => Terminal): void {
  const lock = program
    .command('lock')
    .summary('look at rows that transactions hold, and who waits for whom')
    .description('Look at rows that global transactions hold, and at who waits for whom.');
  withAsking(
    lock
      .command('list')
      .description('List held rows, newest first.')
      .argument('<service>', 'that has the resource')
      .argument('<resource>', 'its name'),
    'one JSON object per line',
  )
    .option('--table <table>', 'only of this table')
    .option('--gid <gid>', 'only by this transaction', gidOf)
    .addOption(new Option('--order <order>', 'default newest').choices(['newest', 'oldest']))
    .option('--limit <n>', 'how many at most', countUpTo(listLimitMax), listLimitDefault)
    .action((service: string, resource: string, options: ListOptions) =>
      list({ service, resource }, options, terminal()),
    );
  withAsking(
    lock
      .command('who')
      .description('Show which transaction holds a row.')
      .argument('<service>', 'that has the resource')
      .argument('<resource>', 'its name')
      .argument('<table>', 'of the row; or TABLE KEY as one text')
      .argument('[key]', 'of the row: its values with commas, or as `lock list --json` has it'),
  ).action((...[service, resource, row, key, options]: WhoArguments) =>
    who({ service, resource }, rowOf(row, key), { options, terminal: terminal() }),
  );
  registerLockGraph(lock, terminal);
}

type WhoArguments = [string, string, string, string | undefined, AskOptions];

function rowOf(row: string, key: string | undefined): RowName {
  if (key !== undefined) return { table: row, key };
  const named = rowNameIn(row);
  if (named !== null) return named;
  throw new Failure('INVALID_REQUEST', 'Name the table and the key of the row.');
}

async function list(place: Place, options: ListOptions, terminal: Terminal): Promise<void> {
  const found: HeldLock[] = [];
  const { table, gid, order, limit } = options;
  let isAll = false;
  for await (const page of readPages(clientOf(options), place, { table, gid, order, limit })) {
    for (const each of page.locks) {
      if (options.json) terminal.print(JSON.stringify(each));
      else found.push(each);
    }
    isAll = page.nextCursor === null;
  }
  if (!isAll) terminal.say('There are more: --limit, --table or --gid.');
  if (options.json) return;
  if (found.length === 0) terminal.say('No row is held.');
  else for (const line of locksTable(found, Date.now(), terminal)) terminal.print(line);
}

async function who(
  place: Place,
  row: RowName,
  { options, terminal }: { readonly options: AskOptions; readonly terminal: Terminal },
): Promise<void> {
  const client = clientOf(options);
  const held = await findLock(client, place, row);
  const holder =
    held === null ? null : ((await client.get(`/v1/transactions/${held.gid}`)) as TransactionView);
  if (options.json) {
    terminal.print(JSON.stringify({ lock: held, holder }));
  } else if (held === null || holder === null) {
    terminal.say('Nobody holds that row.');
  } else {
    const nowMs = Date.now();
    for (const line of locksTable([held], nowMs, terminal)) terminal.print(line);
    terminal.print('');
    for (const line of showLines(holder, nowMs, terminal)) terminal.print(line);
  }
}

async function findLock(client: ApiClient, place: Place, row: RowName): Promise<HeldLock | null> {
  let isAll = false;
  for await (const page of readPages(client, place, { limit: searchedMax })) {
    const found = page.locks.find((lock) => isRow(lock, row));
    if (found !== undefined) return found;
    isAll = page.nextCursor === null;
  }
  if (isAll) return null;
  throw new Failure('LIMIT_EXCEEDED', `It is not among the ${searchedMax} newest locks.`);
}

function readPages(
  client: ApiClient,
  { service, resource }: Place,
  wanted: {
    readonly table?: string | undefined;
    readonly gid?: string | undefined;
    readonly order?: LockOrder | undefined;
    readonly limit: number;
  },
): AsyncGenerator<LocksAnswer> {
  const [first, second] = [service, resource].map(encodeURIComponent);
  const path = `/v1/resources/${first}/${second}/locks`;
  return pagesOf({
    ...{ limit: wanted.limit, pageMax: limits.pageSizeMax },
    async ask(limit, cursor: string | undefined) {
      // The server made it: the parse boundary of this client.
      return (await client.get(path, { ...wanted, limit, cursor })) as LocksAnswer;
    },
    read: ({ locks, nextCursor }) => ({ count: locks.length, next: nextCursor }),
  });
}

function locksTable(
  locks: readonly HeldLock[],
  nowMs: number,
  terminal: Terminal,
): readonly string[] {
  return tableLines(
    ['TABLE', 'ROW', 'GID', 'BRANCH', 'HELD FOR'].map((title) => terminal.paint('dim', title)),
    locks.map(({ table, key, row, gid, branchId, createdAtMs }) => [
      oneLine(table, 64),
      oneLine(row === null ? key : rowText(row), 64),
      gid,
      String(branchId),
      ageText(nowMs - createdAtMs),
    ]),
  );
}

function rowText(row: Readonly<Record<string, string | null>>): string {
  return Object.entries(row)
    .map(([column, value]) => `${column}=${value ?? 'null'}`)
    .join(' ');
}
