/** Checks the steps of a saga and turns names into branch ids. A plan that passes is a valid graph. */
import type { BranchId, StepSpec } from '../../client-sdk/protocol/index.ts';
import { limits } from '../../client-sdk/protocol/index.ts';
import type { StepRecord } from './record.ts';

/** Forward attempts of a step that says nothing else. */
const attemptsDefault = 3;

/** A checked graph, or why it is none. */
export type SagaPlan =
  | { readonly ok: true; readonly steps: readonly StepRecord[] }
  | {
      readonly ok: false;
      readonly code: 'INVALID_SAGA' | 'LIMIT_EXCEEDED';
      readonly detail: string;
    };

/**
 * Steps get the ids 1, 2, 3 … in their order; `after` may only name steps that come earlier, so the
 * graph has no cycle and id order is a topological order.
 */
export function planSaga(specs: readonly StepSpec[]): SagaPlan {
  if (specs.length === 0) return invalid('a saga needs at least one step');
  if (specs.length > limits.branchesMax) {
    const detail = `a saga has at most ${limits.branchesMax} steps`;
    return { ok: false, code: 'LIMIT_EXCEEDED', detail };
  }
  const ids = new Map<string, BranchId>();
  const steps: StepRecord[] = [];
  for (const [index, spec] of specs.entries()) {
    if (ids.has(spec.name)) return invalid(`step name '${spec.name}' is used twice`);
    const after: BranchId[] = [];
    for (const name of spec.after ?? []) {
      const id = ids.get(name);
      if (id === undefined) {
        return invalid(`step '${spec.name}' comes after '${name}', which is not defined before it`);
      }
      if (!after.includes(id)) after.push(id);
    }
    if (spec.after === undefined && index > 0) after.push(index);
    steps.push({
      branchId: index + 1,
      name: spec.name,
      participant: spec.participant,
      after,
      isPivot: spec.pivot ?? false,
      attemptsMax: spec.attempts ?? attemptsDefault,
    });
    ids.set(spec.name, index + 1);
  }
  return checkPivot(steps);
}

/**
 * Once the pivot is asked nothing else may be able to force a rollback, so every other step must be
 * ordered with it: either it is done by then, or it starts afterwards.
 */
function checkPivot(steps: readonly StepRecord[]): SagaPlan {
  const pivots = steps.filter((step) => step.isPivot);
  const [pivot, second] = pivots;
  if (pivot === undefined) return { ok: true, steps };
  if (second !== undefined) {
    return invalid(`'${pivot.name}' and '${second.name}' are both pivots; one is the most`);
  }
  const before = ancestorsOf(steps, pivot);
  const beside = steps.find(
    (step) =>
      step !== pivot && !before.has(step.branchId) && !ancestorsOf(steps, step).has(pivot.branchId),
  );
  if (beside === undefined) return { ok: true, steps };
  return invalid(`step '${beside.name}' must come before or after the pivot '${pivot.name}'`);
}

/** All steps that must be done before this one, directly or not. */
export function ancestorsOf(
  steps: readonly { readonly branchId: BranchId; readonly after: readonly BranchId[] }[],
  step: { readonly after: readonly BranchId[] },
): ReadonlySet<BranchId> {
  const found = new Set<BranchId>(step.after);
  // Ids are in topological order, so one pass from the last to the first sees every ancestor.
  for (const candidate of [...steps].reverse()) {
    if (found.has(candidate.branchId)) for (const id of candidate.after) found.add(id);
  }
  return found;
}

function invalid(detail: string): SagaPlan {
  return { ok: false, code: 'INVALID_SAGA', detail };
}
