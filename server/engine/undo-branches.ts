/** Which branches a question about undo rows is about: those of kind `at`, by the resource they are of. Pure. */
import type {
  BranchId,
  Participant,
  ResolveRequest,
  UndoRequest,
} from '../../client-sdk/protocol/index.ts';
import type { Branch, Transaction, TwoPhase } from '../core/transaction.ts';
import { refusal } from './admission.ts';
import type { Refusal } from './coordinator.ts';

/** Branches of one resource: each of them handles the undo rows of all. */
export interface ResourceBranches {
  readonly participant: Participant;
  /** At least one. */
  readonly branches: readonly Branch[];
  /** The one that is asked. */
  readonly first: Branch;
}

/** What was looked for. */
export type Found<T> = { readonly ok: true; readonly found: T } | Refusal;

/** The method of a resource; what stands behind it is its name. */
const methodPrefix = 'at.';

/** The method that a resource of this name offers. */
export function methodOf(resource: string): string {
  return `${methodPrefix}${resource}`;
}

/** Null: the participant is not a resource of the SDK. */
export function resourceOf(participant: Participant): string | null {
  if (!('method' in participant) || !participant.method.startsWith(methodPrefix)) return null;
  return participant.method.slice(methodPrefix.length);
}

/** The resources of the transaction, or that of the branch. */
export function resourcesOf(
  tx: Transaction,
  { branchId }: Pick<UndoRequest, 'branchId'>,
): Found<readonly ResourceBranches[]> {
  if (tx.mode !== 'transaction') return noUndoRows;
  if (branchId === undefined) return { ok: true, found: groupsOf(tx.branches) };
  const branch = atBranch(tx, branchId);
  if (!branch.ok) return branch;
  const key = keyOf(branch.found);
  return { ok: true, found: groupsOf(tx.branches.filter((one) => keyOf(one) === key)) };
}

const noUndoRows = refusal('WRONG_MODE', 'a saga has no undo rows');

/**
 * The unfinished branches of the resource that the request names. A transaction that does not roll
 * back has none.
 */
export function branchesToResolve(
  tx: Transaction,
  request: Pick<ResolveRequest, 'branchId' | 'resource'>,
): Found<ResourceBranches> {
  if (tx.mode !== 'transaction') return noUndoRows;
  const { phase } = tx;
  if (phase === 'committing' || phase === 'committed') {
    return refusal('ALREADY_COMMITTED', `the transaction is ${phase}: its rows stay as they are`);
  }
  if (phase !== 'rollingBack') {
    const remedy = phase === 'active' ? ': decide it first' : '';
    return refusal('NOTHING_TO_RESOLVE', `the transaction is ${phase}${remedy}`);
  }
  const { branchId, resource } = request;
  if (branchId === undefined) return openOfResource(tx, resource ?? '');
  const branch = atBranch(tx, branchId);
  if (!branch.ok) return branch;
  if (branch.found.isFinished) return rolledBack(`branch ${branchId}`);
  const key = keyOf(branch.found);
  const open = tx.branches.filter((one) => keyOf(one) === key && !one.isFinished);
  return { ok: true, found: groupOf(open, branch.found) };
}

function openOfResource(tx: TwoPhase, resource: string): Found<ResourceBranches> {
  const own = groupsOf(tx.branches).filter((one) => resourceOf(one.participant) === resource);
  const [one, other] = own;
  if (one === undefined) {
    return refusal('NOT_FOUND', `no branch of this transaction is of a resource ${resource}`);
  }
  if (other !== undefined) {
    const detail = `several services have a resource ${resource}: name the branch instead`;
    return refusal('INVALID_REQUEST', detail);
  }
  const open = one.branches.filter(({ isFinished }) => !isFinished);
  // The one that a human was called for has surely rows.
  const stuckId = tx.attention?.branchId ?? null;
  const first = open.find(({ branchId }) => branchId === stuckId) ?? open[0];
  return first === undefined ? rolledBack(resource) : { ok: true, found: groupOf(open, first) };
}

function rolledBack(what: string): Refusal {
  return refusal('NOTHING_TO_RESOLVE', `${what} is rolled back already`);
}

function atBranch(tx: TwoPhase, branchId: BranchId): Found<Branch> {
  const branch = tx.branches.find((one) => one.branchId === branchId);
  if (branch === undefined) return refusal('NOT_FOUND', `there is no branch ${branchId}`);
  if (branch.kind === 'at') return { ok: true, found: branch };
  const detail = `branch ${branchId} is of kind ${branch.kind}, which has no undo rows`;
  return refusal('INVALID_REQUEST', detail);
}

function groupsOf(branches: readonly Branch[]): readonly ResourceBranches[] {
  const groups = Map.groupBy(
    branches.filter(({ kind }) => kind === 'at'),
    keyOf,
  );
  return [...groups.values()].flatMap((own) => {
    const [first] = own;
    return first === undefined ? [] : groupOf(own, first);
  });
}

function groupOf(branches: readonly Branch[], first: Branch): ResourceBranches {
  return { participant: first.participant, branches, first };
}

/** One text for each participant. */
function keyOf({ kind, participant }: Branch): string {
  const address =
    'url' in participant ? [participant.url] : [participant.service, participant.method];
  return JSON.stringify([kind, ...address]);
}
