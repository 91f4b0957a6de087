/** Bugs about kinds of branches: what each kind is asked, what counts as its answer, what is refused. */
import type { Mutant } from './mutant.ts';

const twoPhase = 'server/core/modes/transaction.ts';

/** Bugs of branches of kind at, alone and beside tcc. */
export const kindMutants: readonly Mutant[] = [
  {
    name: 'at-rollback-asked-as-cancel',
    idea: 'a resource is asked to cancel, which it does not offer',
    file: twoPhase,
    find: "at: { commit: 'commit', rollback: 'rollback' },",
    replace: "at: { commit: 'commit', rollback: 'cancel' },",
    killedBy: ['traces', 'stories', 'sim'],
  },
  {
    name: 'at-commit-asked-of-what-rolls-back',
    idea: 'local transactions are made final though the decision was rollback',
    file: twoPhase,
    find: "at: { commit: 'commit', rollback: 'rollback' },",
    replace: "at: { commit: 'commit', rollback: 'commit' },",
    killedBy: ['traces', 'stories', 'sim'],
  },
  {
    name: 'at-rollback-asked-of-what-commits',
    idea: 'rows are written back though the decision was commit',
    file: twoPhase,
    find: "at: { commit: 'commit', rollback: 'rollback' },",
    replace: "at: { commit: 'rollback', rollback: 'rollback' },",
    killedBy: ['traces', 'stories', 'sim'],
  },
  {
    name: 'results-of-the-other-kind',
    idea: 'an answer counts for a branch when any branch owes that operation',
    file: twoPhase,
    find: 'owed.get(r.branchId) === r.operation',
    replace: 'owed.has(r.branchId) && [...owed.values()].includes(r.operation)',
    killedBy: ['traces', 'stories'],
  },
  {
    name: 'kind-forgotten-in-a-record',
    idea: 'every branch is recorded as tcc',
    file: twoPhase,
    find: "kind: spec.kind ?? 'tcc',",
    replace: "kind: 'tcc',",
    killedBy: ['traces', 'engine', 'sim'],
  },
  {
    name: 'unknown-kind-taken-up',
    idea: 'a branch of a kind that only a newer server knows is asked something all the same',
    file: 'server/engine/codec.ts',
    find: 'if (!Object.hasOwn(branchKinds, kind))',
    replace: 'if (kind === undefined)',
    killedBy: ['engine'],
  },
  {
    name: 'try-of-an-at-branch-passed-on',
    idea: 'a resource is asked for a try',
    file: 'server/engine/try.ts',
    find: "if (kind !== 'tcc') {",
    replace: 'if (kind === undefined) {',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'at-shown-as-confirmed',
    idea: 'the view speaks of every branch in the words of tcc',
    file: 'server/engine/view.ts',
    find: 'const finished = endings[kind]',
    replace: 'const finished = endings.tcc',
    killedBy: ['engine'],
  },
];
