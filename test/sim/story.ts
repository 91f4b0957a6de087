/** The story of a run that violates something, for people: what happened to its gid, and to the world. */
import type { BankRules } from './bank.ts';
import { runSeed } from './run.ts';
import { formatSpec, type Spec, toWish } from './spec.ts';

/** No story is longer, in lines. */
const linesMax = 60;
const linesAtStart = 20;

/** What is promised, by rule. */
const promises: Readonly<Record<string, string>> = {
  S1: 'a decision is made once and never changes; only what is owed is done',
  S2: 'no branch is both confirmed and cancelled, or committed and rolled back',
  S3: 'nothing happens before the record that justifies it is durable',
  S4: 'what an initiator is told is so, and stays so',
  S5: 'memory, index and log say the same',
  S6: 'the rows of a gid have no gap',
  S7: 'no row carries an older epoch than one before it',
  S9: 'an operation takes effect once',
  S10: 'money is constant but for what is on the way',
  S11: 'memory and queues keep their limits',
  S13: 'nothing is asked of a finished transaction',
  half: 'all or nothing',
  answers: 'every request is answered exactly once',
  attention: 'what cannot finish is shown',
  fenced: 'who knows that its term is over asks nobody, and no saga is taken up by an older term',
  threw: 'no error of the coordinator ends its process',
  L1: 'every transaction ends when the faults do',
  L2: 'nothing stays reserved or locked',
  L3: 'calls cease when nothing is owed',
  L4: 'a fresh transaction commits within a second',
  L5: 'who has no business with what is broken does not wait',
};

/** Runs the spec once more and tells what happened, in at most 60 lines. */
export async function tellStory(spec: Spec, rules: Partial<BankRules> = {}): Promise<string> {
  const notes: { readonly atMs: number; readonly text: string }[] = [];
  const report = await runSeed({
    ...toWish(spec),
    rules,
    onNote: (text, atMs) => notes.push({ atMs, text }),
  });
  const [violation] = report.violations;
  if (violation === undefined) return `${formatSpec(spec)}\nnothing is violated`;
  const { rule, gid, detail } = violation;
  const told = notes
    .filter(({ text }) => isAbout(text, gid))
    .map(({ atMs, text }) => `${String(atMs).padStart(7)} ms  ${text}`);
  const { swarm, faults } = report;
  const head = [
    `${rule} is violated by ${gid}: ${promises[rule] ?? rule}`,
    `  ${formatSpec(spec)}`,
    `  coordinators: ${swarm.coordinators}, banks: ${swarm.participants}, faults: ${faults.length}`,
  ];
  return [...head, ...shortened(told, linesMax - head.length - 1), `=> ${detail}`].join('\n');
}

/** Notes of other gids are left out; a violation of nobody in particular is told with all. */
function isAbout(text: string, gid: string): boolean {
  const own = /^(?:! )?(g\d+|fresh)\b/.exec(text)?.[1];
  return own === undefined || own === gid || gid === '-';
}

function shortened(lines: readonly string[], max: number): readonly string[] {
  if (lines.length <= max) return lines;
  const atEnd = max - linesAtStart - 1;
  const left = lines.length - linesAtStart - atEnd;
  return [
    ...lines.slice(0, linesAtStart),
    `        … ${left} lines …`,
    ...lines.slice(lines.length - atEnd),
  ];
}
