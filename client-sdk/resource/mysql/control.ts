/** Statements that begin, end or divide a transaction. Guards: nothing but that hides in them. */
import { unsupported } from '../refusal.ts';
import type { ControlStatement } from '../statement.ts';
import type { Token } from './tokens.ts';

/** `<name>` stands for a name. Others are refused: `and chain`, modes, two-phase commit. */
const texts: Readonly<Record<string, ControlStatement['verb']>> = {
  begin: 'begin',
  'begin work': 'begin',
  'start transaction': 'begin',
  'start transaction read write': 'begin',
  commit: 'commit',
  'commit work': 'commit',
  'commit and no chain': 'commit',
  'commit no release': 'commit',
  rollback: 'rollback',
  'rollback work': 'rollback',
  'rollback and no chain': 'rollback',
  'rollback no release': 'rollback',
  'savepoint <name>': 'savepoint',
  'release savepoint <name>': 'release',
  'rollback to <name>': 'rollbackTo',
  'rollback to savepoint <name>': 'rollbackTo',
  'rollback work to <name>': 'rollbackTo',
  'rollback work to savepoint <name>': 'rollbackTo',
};

const verbs: ReadonlySet<string> = new Set(['begin', 'commit', 'rollback', 'savepoint', 'release']);

/** Null when the statement is of another kind. Throws AT_UNSUPPORTED_SQL. */
export function controlIn(tokens: readonly Token[]): ControlStatement | null {
  const [first, second] = tokens;
  const isStart = first?.value === 'start' && second?.value === 'transaction';
  if (first?.kind !== 'word' || !(isStart || verbs.has(first.value))) return null;
  const plain = controlOf(tokens.map(({ value }) => value).join(' '), null);
  if (plain !== null) return plain;
  const last = tokens.at(-1);
  const isName = last?.kind === 'word' || last?.kind === 'name';
  const words = tokens.slice(0, -1).map(({ value }) => value);
  // Savepoints are found without regard to case.
  const name = last?.value.toLowerCase() ?? '';
  const control = isName ? controlOf([...words, '<name>'].join(' '), name) : null;
  if (control === null) {
    throw unsupported(
      'begin, commit or rollback with a mode, a chain or a release',
      'leave these out: a local transaction is READ COMMITTED, read write',
    );
  }
  if (name.startsWith('settle_')) {
    throw unsupported(
      `the savepoint ${name}`,
      'names that begin with settle_ are taken, use another',
    );
  }
  return control;
}

function controlOf(text: string, name: string | null): ControlStatement | null {
  const verb = Object.hasOwn(texts, text) ? texts[text] : undefined;
  return verb === undefined ? null : { kind: 'control', verb, name };
}
