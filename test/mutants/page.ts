/** The page docs/internals/mutants.md, made from the list; a test holds it equal. */
import { explained } from './explained.ts';
import { type Killer, killers } from './killers.ts';
import type { Mutant } from './mutant.ts';

/** Path of the page from the root. */
export const pagePath = 'docs/internals/mutants.md';

/** The text of the page. */
export function mutantsPage(mutants: readonly Mutant[]): string {
  const dead = mutants.filter((mutant) => explained[mutant.name] === undefined);
  const alive = mutants.filter((mutant) => explained[mutant.name] !== undefined);
  return `${[
    '<!-- Made by `npm run mutants -- --write-docs` from test/mutants; do not edit. -->',
    '# Mutants: bugs that the tests must find',
    '',
    intro,
    '',
    '## Suites',
    '',
    ...table([
      ['name', 'what it runs'],
      ...Object.entries(killers).map(([name, killer]) => [name, contentsOf(killer)]),
    ]),
    '',
    `## The ${dead.length} that must die`,
    '',
    ...table([
      ['mutant', 'the bug', 'in', 'killed by'],
      ...dead.map(({ name, idea, file, killedBy }) => [code(name), idea, code(file), killedBy[0]]),
    ]),
    '',
    `## The ${alive.length} that live, and why`,
    '',
    ...table([
      ['mutant', 'the bug', 'in', 'why no test sees it'],
      ...alive.map(({ name, idea, file }) => [code(name), idea, code(file), explained[name] ?? '']),
    ]),
  ].join('\n')}\n`;
}

const intro = `A test that has never failed proves nothing. So bugs are planted on purpose, each a patch of one
idea, and each must make a suite fail. \`npm run mutants\` copies the sources into a temporary
folder, plants one bug at a time, and runs the suites that are named for it, the cheapest first,
until one fails. The working tree is never touched. The single test that found a bug last
(\`test/mutants/sightings.json\`) is asked before its suite: that decides the order, not the verdict.

\`\`\`sh
npm run mutants                            # all of them; a table at the end
npm run mutants -- --json                  # the last line: {"mutants":…,"killed":…,"survived":[…],…}
npm run mutants -- --only no-cas,no-dedupe # some of them, by name
npm run mutants -- --by sim                # what one suite finds by itself
npm run mutants -- --jobs 2                # two at a time, the most (default: as many as cores)
npm run mutants -- --write-sightings       # note which test found each, to ask it first next time
npm run mutants -- --write-docs            # make this page anew; runs nothing
\`\`\`

Rules that keep it honest: a suite, or a single test, is believed only after it has passed on a copy
without a bug; a test that finds nothing any more sends the bug to the suites as a whole; a patch
whose text does not occur exactly once, or after which the file does not load, is an error and not a
kill; a suite that reaches its time limit (many times its usual time) has found a hang. What needs a
database server that is not there is skipped and said to be; under \`CI=true\` it is an error. The
exit code is 1 when a mutant lives that is not explained below. A new oracle should kill a mutant
that lived before; a mutant that lives asks for an oracle.`;

/** A table as the formatter wants it: columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const [head = [], ...body] = rows;
  const widths = head.map((_, at) => Math.max(3, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)];
}

function code(text: string): string {
  return `\`${text}\``;
}

function contentsOf(killer: Killer): string {
  if (killer.kind === 'seeds') return `seeds 1 to ${killer.seeds} of the simulator`;
  const files = killer.files.map(code).join(', ');
  if (killer.only === undefined) return files;
  // A bar would end the cell.
  return `${files}, tests that match ${code(killer.only.replaceAll('|', ' or '))}`;
}
