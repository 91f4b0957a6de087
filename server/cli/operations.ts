/**
 * The verbs that operators change transactions by: `tx retry`, `tx rollback`, `tx resolve`, and
 * `branch retry`, `branch skip`. How a change is asked, confirmed and told is in change.ts.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type BranchView,
  type Json,
  limits,
  type OperationRequest,
  type TransactionView,
} from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import { type Change, change, type Named } from './change.ts';
import { type ChangeOptions, clientOf, countUpTo, gidOf, withChange } from './options.ts';
import { type FilterOptions, queryOf, withFilters } from './query.ts';
import type { Terminal } from './terminal.ts';

interface BulkOptions extends ChangeOptions, FilterOptions {
  readonly all?: boolean;
}

interface SkipOptions extends ChangeOptions {
  readonly operation?: NonNullable<OperationRequest['operation']>;
  readonly result?: { readonly json: Json };
}

/** What the verbs do, for help and questions. */
const verbs = {
  retry: 'Ask all that is owed now, without waiting for the next attempt.',
  rollback: 'Decide to roll back what is not decided.',
  resolve: 'Of decided ones: what is owed counts as done, for a human has seen to it.',
} as const;

/** Adds `retry`, `rollback` and `resolve` to `tx`. */
export function registerOperations(tx: Command, terminal: () => Terminal): void {
  for (const action of ['retry', 'rollback', 'resolve'] as const) {
    const command = tx
      .command(action)
      .description(`${verbs[action]} Named ones, or all open ones that the filters find.`)
      .argument('[gids...]', 'their ids');
    withFilters(withChange(command), true)
      .option('--all', 'all open ones, without a filter')
      .action((gids: readonly string[], options: BulkOptions) =>
        operate({ action }, { gids, options, terminal: terminal() }),
      );
  }
}

/** Adds `branch` and its verbs. */
export function registerBranches(program: Command, terminal: () => Terminal): void {
  const branch = program
    .command('branch')
    .summary('mend one branch or step')
    .description('Do what a human has to do about one branch, or step, of a transaction.');
  withChange(
    branch
      .command('retry')
      .description('Ask it now; what else its transaction owes is asked, too.')
      .argument('<gid>', 'the transaction')
      .argument('<branch>', 'its number', countUpTo(limits.branchesMax)),
  ).action((gid: string, branchId: number, options: ChangeOptions) =>
    retryBranch({ gid, branchId }, options, terminal()),
  );
  withChange(
    branch
      .command('skip')
      .description('What it owes counts as done, for a human has seen to it.')
      .argument('<gid>', 'the transaction')
      .argument('<branch>', 'its number', countUpTo(limits.branchesMax)),
  )
    .addOption(
      new Option('--operation <operation>', 'what it was seen to owe; default: what it owes now')
        // `try` is never owed.
        .choices(['confirm', 'cancel', 'run', 'undo', 'commit', 'rollback']),
    )
    .option('--result <json>', 'of a run: what it is said to have given', jsonOf)
    .action((gid: string, branchId: number, options: SkipOptions) =>
      skipBranch({ gid, branchId }, options, terminal()),
    );
}

async function operate(
  named: Named,
  from: {
    readonly gids: readonly string[];
    readonly options: BulkOptions;
    readonly terminal: Terminal;
  },
): Promise<void> {
  const { gids, options, terminal } = from;
  const query = queryOf(options, Date.now());
  const hasFilter = Object.keys(query).length > 0;
  if (gids.length > 0 && (hasFilter || options.all === true)) {
    throw new Failure('INVALID_REQUEST', 'Give gids or filters, not both.');
  }
  if (gids.length === 0 && !hasFilter && options.all !== true) {
    throw new Failure('INVALID_REQUEST', 'Give gids or filters, or --all for all open ones.');
  }
  const target: Change['target'] =
    gids.length > 0 ? { gids: [...new Set(gids.map(gidOf))] } : { query };
  await change({ named, target, client: clientOf(options) }, options, terminal);
}

interface BranchPlace {
  readonly gid: string;
  readonly branchId: number;
}

async function retryBranch(
  place: BranchPlace,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  const client = clientOf(options);
  const gid = gidOf(place.gid);
  await owing({ gid, branchId: place.branchId }, client);
  await change({ named: { action: 'retry' }, target: { gids: [gid] }, client }, options, terminal);
}

async function skipBranch(
  place: BranchPlace,
  options: SkipOptions,
  terminal: Terminal,
): Promise<void> {
  const client = clientOf(options);
  const gid = gidOf(place.gid);
  const { branchId } = place;
  const operation = options.operation ?? (await owing({ gid, branchId }, client));
  const result = options.result === undefined ? {} : { result: options.result.json };
  const named = { action: 'skip', branchId, operation, ...result } as const;
  await change({ named, target: { gids: [gid] }, client }, options, terminal);
}

/** The operation that the branch owes. Throws Failure NOT_FOUND, NOTHING_OWED. */
async function owing(
  { gid, branchId }: BranchPlace,
  client: Change['client'],
): Promise<NonNullable<OperationRequest['operation']>> {
  const { branches } = (await client.get(`/v1/transactions/${gid}`)) as TransactionView;
  const branch = branches.find((each) => each.branchId === branchId);
  if (branch === undefined) throw new Failure('NOT_FOUND', `It has no branch ${branchId}.`);
  return operationOf(branch);
}

function operationOf({ branchId, operation, state }: BranchView) {
  switch (operation) {
    case 'confirm':
    case 'cancel':
    case 'run':
    case 'undo':
    case 'commit':
    case 'rollback':
      return operation;
    default:
      throw new Failure('NOTHING_OWED', `Branch ${branchId} is ${state}.`);
  }
}

function jsonOf(text: string): { readonly json: Json } {
  try {
    return { json: JSON.parse(text) as Json };
  } catch {
    throw new InvalidArgumentError('It takes JSON.');
  }
}
