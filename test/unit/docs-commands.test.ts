/**
 * Every `settle …` that a page shows is one that the program takes: its verb is there, and so are its
 * options; a change has its reason, and what has to be named is named.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { buildProgram } from '../../server/cli/program.ts';

const root = join(import.meta.dirname, '..', '..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** In code: after a prompt, at the begin of a line of `sh`, or between backticks. */
function commandsIn(page: string): readonly string[] {
  const joined = page.replaceAll(/\\\n\s*/g, ' ');
  const lines = [...joined.matchAll(/^\s*(?:\$ )?settle ([a-z][^\n]*)$/gm)];
  const inline = [...joined.matchAll(/`(?:npm run (?:-s )?settle -- |settle )([a-z][^`]*)`/g)];
  return [...lines, ...inline].map(([, text = '']) => text.replace(/\s+# .*$/, ''));
}

/** Words as a shell has them; what is in quotes is one. */
function wordsOf(text: string): readonly string[] {
  return [...text.matchAll(/'[^']*'|"[^"]*"|[^\s]+/g)].map(([word]) => word);
}

/** What is wrong with it; null: nothing. A verb without anything after it is a name, not a command. */
function faultOf(text: string): string | null {
  let command: Command = buildProgram();
  const words = [...wordsOf(text)];
  while (command.commands.length > 0) {
    const name = words.shift();
    // `settle tx …`, or prose such as "settle COMMAND": the noun alone.
    if (name === undefined || /^(…|[A-Z])/.test(name)) return null;
    const next = command.commands.find((each) => each.name() === name);
    if (name === 'help') return null;
    if (next === undefined) return `there is no ${name}`;
    command = next;
  }
  const known = command.options.flatMap(({ long, short }) => [long, short]);
  const options = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split('=')[0]);
  const unknown = options.find((option) => option !== '--no-color' && !known.includes(option));
  if (unknown !== undefined) return `${command.name()} has no ${unknown}`;
  if (words.length === 0 || words.includes('…')) return null;
  const wanted = command.registeredArguments.filter(({ required }) => required).length;
  const first = words.findIndex((word) => word.startsWith('-'));
  const named = first === -1 ? words.length : first;
  if (named < wanted) return `${command.name()} names ${named} of ${wanted}`;
  return null;
}

test('each command on each page is one that there is', () => {
  const found = pages.flatMap((path) =>
    commandsIn(readFileSync(join(root, path), 'utf8')).map((text) => ({ path, text })),
  );
  expect(found.length).toBeGreaterThan(100);
  const wrong = found.flatMap(({ path, text }) => {
    const fault = faultOf(text);
    return fault === null ? [] : [`${path}: settle ${text}: ${fault}`];
  });
  expect(wrong).toEqual([]);
});

test('it finds what is wrong', () => {
  const texts = ['tx lost', 'tx list --open', 'tx show --json', 'undo resolve --keep ROW'];
  expect(texts.map(faultOf)).toEqual([
    'there is no lost',
    'list has no --open',
    'show names 0 of 1',
    'resolve names 0 of 1',
  ]);
});
