/**
 * `settle tx export`: all that the coordinator and the participants know of one transaction, as one
 * JSON object to send to who helps. Guard: results, payloads and values of rows are masked unless
 * they are asked for.
 */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type {
  Explanation,
  InspectedRow,
  Json,
  ShownRow,
  TimelineAnswer,
  TransactionView,
  UndoAnswer,
} from '../../client-sdk/protocol/index.ts';
import { limits } from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import { version } from '../version.ts';
import type { ApiClient } from './api-client.ts';
import { endWith } from './exit.ts';
import { type AskOptions, clientOf, gidOf, withAsking } from './options.ts';
import type { Terminal } from './terminal.ts';

interface ExportOptions extends Omit<AskOptions, 'json'> {
  readonly withPayloads?: boolean;
  readonly out?: string;
}

/** A part that could not be had, and why. */
interface Missing {
  readonly error: { readonly code: string; readonly detail: string };
}

/** What is exported; a field that is never renamed, new ones may come. */
interface Bundle {
  readonly exportedAtMs: number;
  readonly version: string;
  readonly isMasked: boolean;
  readonly transaction: TransactionView;
  readonly timeline: TimelineAnswer['entries'] | Missing;
  readonly explanation: Explanation | Missing;
  readonly undo: UndoAnswer['resources'] | Missing;
}

/** Adds `tx export`. */
export function registerExport(tx: Command, terminal: () => Terminal): void {
  withAsking(
    tx
      .command('export')
      .description('Write all that is known of one transaction as one JSON object, for support.')
      .argument('<gid>', 'its id'),
    'one JSON object (it always is)',
  )
    .option('--with-payloads', 'results and values of rows in the clear')
    .option('--out <file>', 'write it there; only you can read the file')
    .action((gid: string, options: ExportOptions) => exportOne(gid, options, terminal()));
}

async function exportOne(text: string, options: ExportOptions, terminal: Terminal): Promise<void> {
  const bundle = await bundleOf(clientOf(options), gidOf(text), options.withPayloads !== true);
  if (options.out === undefined) terminal.print(JSON.stringify(bundle));
  else {
    write(options.out, `${JSON.stringify(bundle, null, 2)}\n`);
    terminal.say(`Written to ${options.out}${bundle.isMasked ? ', payloads masked' : ''}.`);
  }
  for (const name of ['timeline', 'explanation', 'undo'] as const) {
    const part = bundle[name];
    if (!('error' in part)) continue;
    terminal.say(`Without the ${name}: ${part.error.code}: ${part.error.detail}`);
    endWith('conflict');
  }
}

async function bundleOf(client: ApiClient, gid: string, isMasked: boolean): Promise<Bundle> {
  const path = `/v1/transactions/${gid}`;
  // The server made all that is read here: the parse boundary of this client.
  const transaction = (await client.get(path)) as TransactionView;
  const timeline = await orMissing(async () => {
    return ((await client.get(`${path}/timeline`)) as TimelineAnswer).entries;
  });
  const explanation = await orMissing(
    async () => (await client.get(`${path}/explanation`)) as Explanation,
  );
  const undo = await orMissing(async () => {
    const answer = await client.get(`${path}/undo`, { limit: limits.pageSizeMax });
    return (answer as UndoAnswer).resources;
  });
  return {
    exportedAtMs: Date.now(),
    version,
    isMasked,
    transaction: isMasked ? maskedView(transaction) : transaction,
    timeline,
    explanation,
    undo: isMasked && !('error' in undo) ? maskedUndo(undo) : undo,
  };
}

/** A bundle without a part helps more than none: who cannot be asked is often what is wrong. */
async function orMissing<T>(read: () => Promise<T>): Promise<T | Missing> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { error: { code: error.code, detail: error.detail } };
  }
}

const mask = '***';

/** The view without what business methods gave. */
function maskedView(view: TransactionView): TransactionView {
  const { results, branches } = view;
  return {
    ...view,
    ...(results === undefined ? {} : { results: mapped(results, maskedJson) }),
    branches: branches.map((branch) => ({ ...branch, result: maskedJson(branch.result) })),
  };
}

/** Undo rows without values: which columns differ is still there, keys of rows are not hidden. */
export function maskedUndo(resources: UndoAnswer['resources']): UndoAnswer['resources'] {
  return resources.map((resource) => ({ ...resource, rows: resource.rows.map(maskedRow) }));
}

function maskedRow(row: InspectedRow): InspectedRow {
  const { before, after, current } = row;
  const masked = (image: ShownRow | null) =>
    image === null ? null : mapped(image, (value) => (value === null ? null : mask));
  return { ...row, before: masked(before), after: masked(after), current: masked(current) };
}

/** That there was nothing may be known. */
function maskedJson(value: Json): Json {
  return value === null ? null : mask;
}

function mapped<From, To>(
  record: Readonly<Record<string, From>>,
  to: (value: From) => To,
): Readonly<Record<string, To>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 });
  } catch (error) {
    throw new Failure('INVALID_REQUEST', `--out ${path} cannot be written.`, { cause: error });
  }
}
