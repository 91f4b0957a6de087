/**
 * A child of the mutants' runner: plays the simulator's seeds 1..N and ends at the first violation.
 * Prints one line of JSON; exit code 0 when all went well, 1 on a violation, 2 when the simulator
 * itself does not load.
 */

interface Finding {
  readonly seed: number;
  readonly rule: string;
  readonly detail: string;
}

async function play(seeds: number): Promise<Finding | null> {
  const { runSeed } = await import('../sim/run.ts');
  for (let seed = 1; seed <= seeds; seed += 1) {
    try {
      const { violations } = await runSeed({ seed });
      const [first] = violations;
      if (first !== undefined) return { seed, rule: first.rule, detail: first.detail };
    } catch (error) {
      // What the coordinator throws would end its process, for ever again: that is a find, too.
      return { seed, rule: 'threw', detail: String(error) };
    }
  }
  return null;
}

// An error of the engine outside of any promise that the simulator waits for.
process.on('uncaughtException', (error) => tell({ seed: 0, rule: 'threw', detail: String(error) }));
process.on('unhandledRejection', (error) =>
  tell({ seed: 0, rule: 'threw', detail: String(error) }),
);

function tell(finding: Finding | null): void {
  console.log(JSON.stringify({ finding }));
  process.exit(finding === null ? 0 : 1);
}

const [, , seeds = '1'] = process.argv;
tell(await play(Number(seeds)));
