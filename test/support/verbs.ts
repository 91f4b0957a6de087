/** The verbs of a program of commander. */
import type { Command } from 'commander';

/** Commands that do something, such as `tx list`: those without commands of their own. */
export function verbsOf(program: Command): readonly string[] {
  return program.commands.flatMap((each) => {
    const inner = verbsOf(each);
    return inner.length === 0 ? [each.name()] : inner.map((verb) => `${each.name()} ${verb}`);
  });
}
