/**
 * Tries mutants one after another, or two at a time, each in a copy of the tree of its own. A killer is
 * believed only after it has passed on a copy without any bug.
 */
import { type Attempt, attempt } from './attempt.ts';
import { runNode } from './child.ts';
import type { KillerName } from './killers.ts';
import { type Mutant, plant } from './mutant.ts';
import { copyTree, type Tree } from './tree.ts';

/** What became of a mutant. */
export type Fate =
  | { readonly kind: 'killed'; readonly by: KillerName; readonly what: string }
  | { readonly kind: 'survived' }
  /** No killer of it can run on this machine. */
  | { readonly kind: 'skipped' }
  | { readonly kind: 'error'; readonly reason: string };

/** A mutant and what became of it. */
export interface Trial {
  readonly mutant: Mutant;
  readonly fate: Fate;
  readonly ms: number;
}

/** How to try. */
export interface TrialOptions {
  /** Mutants at a time. */
  readonly jobs: number;
  /** Hears of each trial when it has ended. */
  readonly onTrial: (trial: Trial) => void;
}

const loadMsMax = 20_000;

/** Tries all; the order of the answer is that of the mutants. */
export async function tryAll(
  mutants: readonly Mutant[],
  { jobs, onTrial }: TrialOptions,
): Promise<readonly Trial[]> {
  const trees = Array.from({ length: jobs + 1 }, copyTree);
  const removeAll = () => {
    for (const tree of trees) tree.remove();
  };
  process.once('exit', removeAll);
  try {
    const [clean, ...mutated] = trees;
    if (clean === undefined) return [];
    const workers = jobs === 1 ? 2 : 1;
    const baseline = createBaseline(clean, workers);
    const trials = new Map<Mutant, Trial>();
    const left = [...mutants];
    const work = async (tree: Tree) => {
      for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
        const startMs = performance.now();
        const fate = await tryOne(mutant, { tree, workers, baseline });
        const trial = { mutant, fate, ms: performance.now() - startMs };
        trials.set(mutant, trial);
        onTrial(trial);
      }
    };
    await Promise.all(mutated.map(work));
    return mutants.flatMap((mutant) => trials.get(mutant) ?? []);
  } finally {
    removeAll();
    process.off('exit', removeAll);
  }
}

/** What a killer says of the tree without a bug; asked once for each killer, one after another. */
type Baseline = (name: KillerName) => Promise<Attempt>;

function createBaseline(tree: Tree, workers: number): Baseline {
  const known = new Map<KillerName, Promise<Attempt>>();
  let last: Promise<unknown> = Promise.resolve();
  return (name) => {
    let found = known.get(name);
    if (found === undefined) {
      found = last.then(() => attempt(tree.folder, name, workers));
      known.set(name, found);
      last = found;
    }
    return found;
  };
}

interface Bench {
  readonly tree: Tree;
  readonly workers: number;
  readonly baseline: Baseline;
}

async function tryOne(mutant: Mutant, bench: Bench): Promise<Fate> {
  const { tree } = bench;
  const original = tree.read(mutant.file);
  const patched = plant(mutant, original);
  if (!patched.ok) return { kind: 'error', reason: patched.reason };
  tree.write(mutant.file, patched.text);
  try {
    const loaded = await runNode(tree.folder, ['test/mutants/load.ts', mutant.file], loadMsMax);
    if (loaded.exitCode !== 0) {
      return { kind: 'error', reason: `it does not load: ${loaded.stderr.trim().slice(0, 300)}` };
    }
    return await tryKillers(mutant, bench);
  } finally {
    tree.write(mutant.file, original);
  }
}

async function tryKillers(mutant: Mutant, { tree, workers, baseline }: Bench): Promise<Fate> {
  let absentCount = 0;
  for (const by of mutant.killedBy) {
    const clean = await baseline(by);
    if (clean.kind === 'absent') {
      absentCount += 1;
      continue;
    }
    if (clean.kind !== 'passed')
      return { kind: 'error', reason: `${by} without a bug: ${why(clean)}` };
    const tried = await attempt(tree.folder, by, workers);
    if (tried.kind === 'found') return { kind: 'killed', by, what: tried.what };
    if (tried.kind === 'broken') return { kind: 'error', reason: `${by}: ${tried.reason}` };
  }
  return { kind: absentCount === mutant.killedBy.length ? 'skipped' : 'survived' };
}

function why(attempted: Attempt): string {
  if (attempted.kind === 'found') return attempted.what;
  return attempted.kind === 'broken' ? attempted.reason : attempted.kind;
}
