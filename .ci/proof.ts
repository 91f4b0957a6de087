/**
 * The proofs that are no vitest suites: the simulator, the mutants and the bank, each asked for the
 * figures that docs/reliability.md promises for every run. Writes `{ passed, failed }` to the file
 * that is named, for the closing line.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';

type Figures = Readonly<Record<string, unknown>>;

interface Proof {
  readonly name: string;
  readonly args: readonly string[];
  /** What a run that exits with 0 must have shown besides. */
  readonly isShown: (figures: Figures) => boolean;
  /** How many single checks stand behind it, so that the closing line says what was done. */
  readonly checks: (figures: Figures) => number;
}

const transactionsMin = 40_000;
const mutantsMin = 40;
const killsMin = 5;

const proofs: readonly Proof[] = [
  {
    name: 'simulator',
    args: ['run', '-s', 'sim', '--', '--seeds', '2000', '--json'],
    isShown: (figures) =>
      figures.violations === 0 &&
      figures.digestMismatches === 0 &&
      Number(figures.transactions) >= transactionsMin &&
      isCovered(figures.crashTriples),
    checks: (figures) => Number(figures.seeds),
  },
  {
    name: 'mutants',
    args: ['run', '-s', 'mutants', '--', '--json'],
    isShown: (figures) =>
      Number(figures.mutants) >= mutantsMin && isEmpty(figures.skipped) && isEmpty(figures.errors),
    checks: (figures) => Number(figures.killed),
  },
  {
    name: 'bank',
    args: ['run', '-s', 'bank', '--', '--minutes', '2', '--json'],
    isShown: (figures) => figures.violations === 0 && Number(figures.kills) >= killsMin,
    checks: () => 1,
  },
];

function isCovered(triples: unknown): boolean {
  if (typeof triples !== 'object' || triples === null) return false;
  const { covered, total } = triples as { readonly covered?: unknown; readonly total?: unknown };
  return typeof total === 'number' && total > 0 && covered === total;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** The figures of the last line that a command prints; null when it fails or prints none. */
async function run(proof: Proof): Promise<Figures | null> {
  const child = spawn('npm', proof.args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let output = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    output += chunk;
    process.stdout.write(chunk);
  }
  const [code] = await closed;
  try {
    const figures: unknown = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '');
    return code === 0 ? (figures as Figures) : null;
  } catch {
    return null;
  }
}

const total = { passed: 0, failed: 0 };
for (const proof of proofs) {
  console.log(`ci: ${proof.name}`);
  const startMs = performance.now();
  const figures = await run(proof);
  const isProved = figures !== null && proof.isShown(figures);
  if (isProved) total.passed += proof.checks(figures);
  else total.failed += 1;
  const seconds = Math.round((performance.now() - startMs) / 1000);
  console.log(`ci: ${proof.name}: ${isProved ? 'holds' : 'DOES NOT HOLD'}, ${seconds} s`);
}
writeFileSync(process.argv[2] ?? '', JSON.stringify(total));
process.exitCode = total.failed === 0 ? 0 : 1;
