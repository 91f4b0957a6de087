/**
 * Runs a story: `# ` lines tell it, `> ` lines are commands, indented lines say what came of them.
 * The golden file is the same text with the output as it was when somebody read it and agreed.
 */
import { printOwed, printState, printStep } from './trace-print.ts';
import { parseCommand } from './trace-words.ts';
import { crash, createWorld, restore, take, type World } from './world.ts';

/** The story with its output as it is now. Throws when an invariant breaks, naming the line. */
export function playTrace(story: string): string {
  const world = createWorld();
  const lines: string[] = [];
  for (const [index, line] of story.trimEnd().split('\n').entries()) {
    if (line.startsWith('  ')) continue;
    lines.push(line);
    if (!line.startsWith('> ')) continue;
    try {
      for (const output of perform(world, line.slice(2))) lines.push(`  ${output}`);
    } catch (error) {
      throw new Error(`line ${index + 1}: ${line}`, { cause: error });
    }
  }
  return `${lines.join('\n')}\n`;
}

function perform(world: World, line: string): readonly string[] {
  const command = parseCommand(line);
  switch (command.kind) {
    case 'event': {
      const before = world.tx;
      return printStep(world, before, take(world, command.body));
    }
    case 'at':
      world.nowMs = world.startMs + command.offsetMs;
      return [];
    case 'crash': {
      const written = world.written.length;
      crash(world, command.lost);
      const kept = world.written.length;
      const lost = written === kept ? '' : `, ${written - kept} lost`;
      return [`term ${world.epoch}: ${kept} records${lost}`, ...printState(world.tx)];
    }
    case 'replay':
      restore(world);
      return [`${world.written.length} records`, ...printState(world.tx)];
    case 'owed':
      return printOwed(world.tx);
    default:
      return command satisfies never;
  }
}
