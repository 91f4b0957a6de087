/**
 * `settle completion`: scripts for shells that complete verbs and options. They are made from the
 * commands themselves, so that none is forgotten, and ask no coordinator.
 */
import { Argument, type Command } from 'commander';
import type { Terminal } from './terminal.ts';

type Shell = 'bash' | 'zsh' | 'fish';

/** A command as completion sees it. `path`: `tx list`; of the program itself empty. */
interface Place {
  readonly path: string;
  readonly words: readonly Word[];
}

interface Word {
  readonly text: string;
  readonly about: string;
}

/** Adds `completion`. */
export function registerCompletion(program: Command, terminal: () => Terminal): void {
  program
    .command('completion')
    .summary('print a script that completes commands in your shell')
    .description(
      'Print a script that completes commands in your shell, such as ' +
        '`settle completion bash > ~/.local/share/bash-completion/completions/settle`.',
    )
    .addArgument(new Argument('<shell>', 'which one').choices(['bash', 'zsh', 'fish']))
    .action((shell: Shell) => terminal().print(completionScript(shell, program)));
}

/** The script for this shell, of all commands that the program has by now. */
export function completionScript(shell: Shell, program: Command): string {
  const places = placesOf(program, '');
  switch (shell) {
    case 'bash':
      return bashScript(places);
    case 'zsh':
      return zshScript(places);
    case 'fish':
      return fishScript(places);
    default:
      return shell satisfies never;
  }
}

function placesOf(command: Command, path: string): readonly Place[] {
  const nouns = command.commands.map((each) => ({ text: each.name(), about: aboutOf(each) }));
  const options = command.options
    .filter(({ hidden }) => !hidden)
    .map(({ long, short, description }) => ({ text: long ?? short ?? '', about: description }));
  const help = { text: '--help', about: 'show this help' };
  return [
    { path, words: [...nouns, ...options, help] },
    ...command.commands.flatMap((each) => placesOf(each, `${path} ${each.name()}`.trim())),
  ];
}

function aboutOf(command: Command): string {
  return command.summary() || command.description();
}

/** The words before the cursor that are no options, up to two: that is where we are. */
const placeInShell = `  local place="" word count=0
  for word in "\${before[@]}"; do
    case "$word" in
      -*) ;;
      *) if [ $count -lt 2 ]; then place="\${place:+$place }$word"; count=$((count + 1)); fi ;;
    esac
  done`;

function casesOf(places: readonly Place[]): string {
  const all = places.map(({ path, words }) => {
    const texts = words.map(({ text }) => text).join(' ');
    return `    ${path === '' ? "''" : `'${path}'${starOf(places, path)}`}) found='${texts}' ;;`;
  });
  return all.join('\n');
}

/** Commands without verbs take whatever follows: after `migrate x` it is still `migrate`. */
function starOf(places: readonly Place[], path: string): string {
  const hasVerbs = places.some((other) => other.path.startsWith(`${path} `));
  return hasVerbs ? '' : `|'${path} '*`;
}

function bashScript(places: readonly Place[]): string {
  return `# bash completion of settle
_settle() {
  local current="\${COMP_WORDS[COMP_CWORD]}" found=""
  local before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
${placeInShell}
  case "$place" in
${casesOf(places)}
  esac
  COMPREPLY=($(compgen -W "$found" -- "$current"))
}
complete -o default -F _settle settle`;
}

function zshScript(places: readonly Place[]): string {
  return `#compdef settle
# zsh completion of settle
_settle() {
  local found=""
  local -a before=("\${(@)words[2,CURRENT-1]}")
${placeInShell}
  case "$place" in
${casesOf(places)}
  esac
  compadd -- \${=found} || _files
}
compdef _settle settle`;
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words }) =>
    words.map(({ text, about }) => {
      const what = text.startsWith('--') ? `-l ${text.slice(2)}` : `-a ${text}`;
      const shown = about.replaceAll(/[\\']/g, '').replaceAll(/\s+/g, ' ');
      return `complete -c settle -n '${conditionOf(places, path)}' ${what} -d '${shown}'`;
    }),
  );
  return ['# fish completion of settle', 'complete -c settle -f', ...lines].join('\n');
}

function conditionOf(places: readonly Place[], path: string): string {
  if (path === '') return '__fish_use_subcommand';
  const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
  const verbs = places.filter((other) => other.path.startsWith(`${path} `));
  const names = verbs.map((other) => other.path.split(' ').at(-1));
  const none = names.length === 0 ? [] : [`not __fish_seen_subcommand_from ${names.join(' ')}`];
  return [...seen, ...none].join('; and ');
}
