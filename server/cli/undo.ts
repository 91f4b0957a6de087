/**
 * `settle undo`: rows under automatic undo as they were, were left and are now, and what becomes of
 * dirty ones. `show` and `diff` change nothing; `resolve` is in undo-resolve.ts.
 */
import type { Command } from 'commander';
import { limits } from '../../client-sdk/protocol/index.ts';
import { endWith } from './exit.ts';
import { type AskOptions, clientOf, countUpTo, gidOf, withAsking } from './options.ts';
import type { Terminal } from './terminal.ts';
import { paintPhase } from './transaction-text.ts';
import { type ResourceChoice, readUndo } from './undo-pages.ts';
import { registerResolve } from './undo-resolve.ts';
import { diffLines, resourceLines } from './undo-text.ts';

interface LookOptions extends AskOptions, ResourceChoice {
  readonly all?: boolean;
}

/** Adds `undo` and its verbs. */
export function registerUndo(program: Command, terminal: () => Terminal): void {
  const undo = program
    .command('undo')
    .summary('look at rows under automatic undo, resolve dirty ones')
    .description(
      'Look at rows that a transaction has changed, and say what becomes of dirty ones.',
    );
  const verbs = {
    show: 'List the rows of a transaction, and how each stands to its undo rows.',
    diff: 'Show dirty rows as they were before, were left and are now, side by side.',
  } as const;
  for (const verb of ['show', 'diff'] as const) {
    const command = undo
      .command(verb)
      .description(verbs[verb])
      .argument('<gid>', 'the transaction');
    withResource(withAsking(command));
    if (verb === 'diff') command.option('--all', 'also rows that are not dirty');
    command.action((gid: string, options: LookOptions) => look(verb, gid, options, terminal()));
  }
  registerResolve(undo, withResource, terminal);
}

/** Adds which resource is meant. */
function withResource(command: Command): Command {
  return command
    .option('--resource <resource>', 'only this one')
    .option('--branch <n>', 'only that of this branch', countUpTo(limits.branchesMax));
}

async function look(
  verb: 'show' | 'diff',
  text: string,
  options: LookOptions,
  terminal: Terminal,
): Promise<void> {
  const answer = await readUndo(clientOf(options), gidOf(text), options);
  // A part that could not be had is part of the answer.
  if (answer.resources.some(({ error }) => error !== null)) endWith('conflict');
  if (options.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  terminal.say(`${answer.gid} is ${paintPhase(answer.phase, terminal)}`);
  if (answer.resources.length === 0) terminal.say('It was at no resource under automatic undo.');
  for (const [index, resource] of answer.resources.entries()) {
    if (index > 0) terminal.print('');
    const lines =
      verb === 'show'
        ? resourceLines(resource, terminal)
        : diffLines(resource, options.all === true, terminal);
    for (const line of lines) terminal.print(line);
    if (resource.nextCursor !== null) terminal.say('There are more rows than are shown.');
  }
}
