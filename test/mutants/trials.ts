/**
 * Tries mutants one after another, or two at a time, each in a copy of the tree of its own. A killer is
 * believed only after it has passed on a copy without any bug.
 */
import { type Attempt, attempt } from './attempt.ts';
import { runNode } from './child.ts';
import type { KillerName } from './killers.ts';
import { type Mutant, plant } from './mutant.ts';
import type { Sighting, Sightings } from './sightings.ts';
import { copyTree, type Tree } from './tree.ts';

/** What became of a mutant. */
export type Fate =
  | {
      readonly kind: 'killed';
      readonly by: KillerName;
      readonly what: string;
      /** The test that found it; null when it hung, or when it was no test. */
      readonly sighting: Sighting | null;
    }
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
  /** Tests to ask before the suites. */
  readonly sightings: Sightings;
  /** Hears of each trial when it has ended. */
  readonly onTrial: (trial: Trial) => void;
}

const loadMsMax = 20_000;

/** Tries all; the order of the answer is that of the mutants. */
export async function tryAll(
  mutants: readonly Mutant[],
  { jobs, sightings, onTrial }: TrialOptions,
): Promise<readonly Trial[]> {
  const trees = Array.from({ length: jobs + 2 }, copyTree);
  const removeAll = () => {
    for (const tree of trees) tree.remove();
  };
  process.once('exit', removeAll);
  try {
    const [clean, ahead, ...mutated] = trees;
    if (clean === undefined || ahead === undefined) return [];
    const workers = jobs === 1 ? 2 : 1;
    const asked = mutants.flatMap(({ name, killedBy }) => {
      const sighting = sightings[name];
      return sighting !== undefined && killedBy.includes(sighting.by) ? [{ name, sighting }] : [];
    });
    const known = new Map(asked.map(({ name, sighting }) => [name, sighting]));
    const baseline = createBaseline({ clean, ahead }, workers, [...known.values()]);
    const trials = new Map<Mutant, Trial>();
    const left = [...mutants];
    const work = async (tree: Tree) => {
      for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
        const startMs = performance.now();
        const sighting = known.get(mutant.name) ?? null;
        const fate = await tryOne(mutant, { tree, workers, baseline, sighting });
        const trial = { mutant, fate, ms: performance.now() - startMs };
        trials.set(mutant, trial);
        onTrial(trial);
      }
    };
    // Ahead of the mutants, so that none of them waits until the next suite has been believed.
    const suites = [...new Set([...known.values()].map(({ by }) => by))];
    await Promise.all([...suites.map(baseline.sighted), ...mutated.map(work)]);
    return mutants.flatMap((mutant) => trials.get(mutant) ?? []);
  } finally {
    removeAll();
    process.off('exit', removeAll);
  }
}

/** What is said of the tree without a bug; asked once for each killer, each kind one after another. */
interface Baseline {
  whole(name: KillerName): Promise<Attempt>;
  /** Of the tests alone that are to be asked first. */
  sighted(name: KillerName): Promise<Attempt>;
}

/** `ahead` is for single tests, so that both kinds may be asked at once. */
function createBaseline(
  { clean, ahead }: Readonly<Record<'clean' | 'ahead', Tree>>,
  workers: number,
  sightings: readonly Sighting[],
): Baseline {
  const once = (ask: (name: KillerName) => Promise<Attempt>) => {
    let last: Promise<unknown> = Promise.resolve();
    const known = new Map<KillerName, Promise<Attempt>>();
    return (name: KillerName) => {
      let found = known.get(name);
      if (found === undefined) {
        found = last.then(() => ask(name));
        known.set(name, found);
        last = found;
      }
      return found;
    };
  };
  return {
    whole: once((name) => attempt(clean.folder, name, workers)),
    sighted: once((name) => {
      const these = sightings.filter(({ by }) => by === name);
      const files = [...new Set(these.map(({ file }) => file))];
      const tests = [...new Set(these.map(({ test }) => test))];
      return attempt(ahead.folder, name, workers, { files, tests });
    }),
  };
}

interface Bench {
  readonly tree: Tree;
  readonly workers: number;
  readonly baseline: Baseline;
  readonly sighting: Sighting | null;
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
    return (await trySighting(bench)) ?? (await tryKillers(mutant, bench));
  } finally {
    tree.write(mutant.file, original);
  }
}

/** Null when the test that found it last is not there any more, or finds nothing. */
async function trySighting(bench: Bench): Promise<Fate | null> {
  const { tree, workers, baseline, sighting } = bench;
  if (sighting === null) return null;
  const { by, file, test } = sighting;
  const clean = await baseline.sighted(by);
  if (clean.kind === 'found')
    return { kind: 'error', reason: `${by} without a bug: ${why(clean)}` };
  if (clean.kind !== 'passed' || !clean.tests.has(test)) return null;
  const tried = await attempt(tree.folder, by, workers, { files: [file], tests: [test] });
  return tried.kind === 'found' ? killed(by, tried) : null;
}

async function tryKillers(mutant: Mutant, { tree, workers, baseline }: Bench): Promise<Fate> {
  let absentCount = 0;
  for (const by of mutant.killedBy) {
    const clean = await baseline.whole(by);
    if (clean.kind === 'absent') {
      absentCount += 1;
      continue;
    }
    if (clean.kind !== 'passed')
      return { kind: 'error', reason: `${by} without a bug: ${why(clean)}` };
    const tried = await attempt(tree.folder, by, workers);
    if (tried.kind === 'found') return killed(by, tried);
    if (tried.kind === 'broken') return { kind: 'error', reason: `${by}: ${tried.reason}` };
  }
  return { kind: absentCount === mutant.killedBy.length ? 'skipped' : 'survived' };
}

function killed(by: KillerName, found: Extract<Attempt, { kind: 'found' }>): Fate {
  const sighting = found.by === undefined ? null : { by, ...found.by };
  return { kind: 'killed', by, what: found.what, sighting };
}

function why(attempted: Attempt): string {
  if (attempted.kind === 'found') return attempted.what;
  return attempted.kind === 'broken' ? attempted.reason : attempted.kind;
}
