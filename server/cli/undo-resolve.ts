/**
 * `settle undo resolve`: says what becomes of dirty rows, so that a rollback can end. Guards: rows are
 * chosen as they were looked at (`seen`), so that one that has changed since is left alone; whoever
 * sits at a terminal sees what would be written before he says yes.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type {
  ResolvedAnswer,
  ResolveRequest,
  RowResolution,
  UndoOfResource,
} from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { ApiClient } from './api-client.ts';
import { endWith } from './exit.ts';
import { type ChangeOptions, clientOf, gidOf, repeatable, withChange } from './options.ts';
import { isRow, type RowName, rowNameIn } from './row-name.ts';
import { oneLine } from './table.ts';
import type { Terminal } from './terminal.ts';
import { type ResourceChoice, readUndo } from './undo-pages.ts';
import { resolvedLines } from './undo-text.ts';

interface ResolveOptions extends ChangeOptions, ResourceChoice {
  readonly restore?: readonly string[];
  readonly keep?: readonly string[];
  readonly merge?: readonly string[];
  readonly others?: 'restore' | 'keep';
  readonly seen?: string;
}

/** Adds `undo resolve`. */
export function registerResolve(
  undo: Command,
  withResource: (command: Command) => Command,
  terminal: () => Terminal,
): void {
  const command = undo
    .command('resolve')
    .description(
      'Roll the branches of one resource back, with a choice for each dirty row. ' +
        "A row is named 'TABLE KEY', such as 'account 1'.",
    )
    .argument('<gid>', 'the transaction');
  withResource(withChange(command))
    .option('--restore <row>', 'it becomes what it was before; repeatable', repeatable)
    .option('--keep <row>', 'it stays as it is now; repeatable', repeatable)
    .option(
      '--merge <row[:columns]>',
      "what others changed stays, but for these columns ('account 1:cents,note'); repeatable",
      repeatable,
    )
    .addOption(new Option('--others <choice>', 'of other dirty rows').choices(['restore', 'keep']))
    .option('--seen <digest>', 'refuse if any row is not as `undo show` showed it', digestOf)
    .action((gid: string, options: ResolveOptions) => resolve(gid, options, terminal()));
}

async function resolve(text: string, options: ResolveOptions, terminal: Terminal): Promise<void> {
  const gid = gidOf(text);
  const client = clientOf(options);
  const { body, seen } = await wishOf(gid, options, client);
  const send = async (dryRun: boolean) => {
    const path = `/v1/transactions/${gid}/undo/resolve`;
    // The server made it: the parse boundary of this client.
    return (await client.post(path, { ...body, dryRun })) as ResolvedAnswer;
  };
  if (terminal.isAsking && options.yes !== true && options.dryRun !== true) {
    terminal.say('This would be written:');
    for (const line of resolvedLines(await send(true), terminal)) terminal.say(line);
    if (!(await terminal.confirm(`Resolve the rows of ${gid} so?`))) {
      terminal.say('Nothing was done.');
      return endWith('failure');
    }
  }
  const answer = await send(options.dryRun === true);
  if (options.json) terminal.print(JSON.stringify(answer));
  else for (const line of resolvedLines(answer, terminal)) terminal.print(line);
  if (answer.auditSeq === null) {
    // With it, just the rows that were looked at are resolved.
    if (!options.json) terminal.print(`seen ${seen ?? '-'}`);
    return terminal.say('A dry run: nothing was done.');
  }
  terminal.say('Written; the rollback of these branches is done.');
  terminal.say(`On the record: audit ${answer.auditSeq}.`);
}

interface Wish {
  /** The request without its gid, which is in the address. */
  readonly body: Omit<ResolveRequest, 'gid'>;
  /** Digest of all rows that were looked at for it; null where there were none. */
  readonly seen: string | null;
}

async function wishOf(gid: string, options: ResolveOptions, client: ApiClient): Promise<Wish> {
  const { restore = [], keep = [], merge = [], others, reason } = options;
  if (restore.length + keep.length + merge.length === 0 && others === undefined) {
    throw new Failure('INVALID_REQUEST', 'Choose: --restore, --keep, --merge or --others.');
  }
  const resource = await resourceOf(gid, options, client);
  const rows = [
    ...restore.map((row) => chosen(resource, row, 'restore')),
    ...keep.map((row) => chosen(resource, row, 'keep')),
    ...merge.map((row) => merged(resource, row)),
  ];
  const { seen } = resource;
  const [branchId] = resource.branchIds;
  const body = {
    ...(branchId === undefined ? {} : { branchId }),
    ...(rows.length === 0 ? {} : { rows }),
    ...(others === undefined || seen === null ? {} : { otherwise: { choice: others, seen } }),
    reason,
  };
  return { body, seen };
}

async function resourceOf(
  gid: string,
  options: ResolveOptions,
  client: ApiClient,
): Promise<UndoOfResource> {
  const { resources } = await readUndo(client, gid, options);
  const [resource, another] = resources;
  if (resource === undefined) throw new Failure('NOTHING_TO_RESOLVE', 'It was at no resource.');
  if (another !== undefined) {
    const names = resources.map((each) => each.resource ?? `branch ${each.branchIds[0]}`);
    throw new Failure('INVALID_REQUEST', `Name one with --resource or --branch: ${names.join()}.`);
  }
  const { error, seen } = resource;
  // A participant's code is not always one of the table.
  if (error !== null) throw new Failure('UNREACHABLE', `${error.code}: ${error.detail}`);
  if (options.seen !== undefined && options.seen !== seen) {
    throw new Failure('ROW_CHANGED', `--seen is ${options.seen}, and by now it is ${seen}.`);
  }
  return resource;
}

function chosen(
  resource: UndoOfResource,
  text: string,
  choice: 'restore' | 'keep' | 'merge',
): RowResolution {
  const row = rowOf(resource, nameIn(text));
  return { table: row.table, key: row.key, choice, seen: row.seen };
}

/** A key may hold a colon: what is a row as it stands has no columns behind it. */
function merged(resource: UndoOfResource, text: string): RowResolution {
  const whole = rowNameIn(text);
  if (whole !== null && resource.rows.some((row) => isRow(row, whole))) {
    return { ...chosen(resource, text, 'merge'), columns: {} };
  }
  const at = text.lastIndexOf(':');
  const names = at === -1 ? [] : text.slice(at + 1).split(',');
  const columns = names.map((name) => name.trim()).filter((name) => name !== '');
  if (columns.length === 0) return { ...chosen(resource, text, 'merge'), columns: {} };
  const choices = columns.map((column) => [column, 'before'] as const);
  return {
    ...chosen(resource, text.slice(0, at), 'merge'),
    columns: Object.fromEntries(choices),
  };
}

function nameIn(text: string): RowName {
  const name = rowNameIn(text);
  if (name !== null) return name;
  throw new Failure('INVALID_REQUEST', `${oneLine(text, 80)} does not name a row: 'TABLE KEY'.`);
}

function rowOf({ rows }: UndoOfResource, name: RowName): UndoOfResource['rows'][number] {
  const [row, another] = rows.filter((each) => isRow(each, name));
  const shown = oneLine(`${name.table} ${name.key}`, 120);
  if (row === undefined)
    throw new Failure('INVALID_REQUEST', `There are no undo rows of ${shown}.`);
  if (another === undefined) return row;
  throw new Failure('INVALID_REQUEST', `${shown} is more than one row: name its schema, too.`);
}

function digestOf(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('It takes what `undo show` and `undo diff` call seen.');
}
