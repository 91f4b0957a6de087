/**
 * A mutant: one planted bug, as a patch of one idea. A test suite is only trusted for what it kills.
 * Running mutants is not here; the lists are in `*-mutants.ts`.
 */
import type { KillerName } from './killers.ts';

/** One planted bug. */
export interface Mutant {
  /** Unique; lower case words joined by hyphens. */
  readonly name: string;
  /** What the code gets wrong, as one short sentence without a full stop. */
  readonly idea: string;
  /** Path from the root of the repository. */
  readonly file: string;
  /** Exact text; must occur in the file exactly once, so that the list cannot go out of date unseen. */
  readonly find: string;
  readonly replace: string;
  /** Suites to try, in order. The first is the one that kills it today; it comes cheap. */
  readonly killedBy: readonly [KillerName, ...KillerName[]];
}

/** The text with the bug in it, or why the patch does not apply any more. */
export type Patched =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: string };

/** Plants the bug in the text of its file. */
export function plant(mutant: Mutant, text: string): Patched {
  const { find, replace, file } = mutant;
  const count = text.split(find).length - 1;
  if (count !== 1) {
    return { ok: false, reason: `its text occurs ${count} times in ${file}, not once` };
  }
  if (find === replace) return { ok: false, reason: 'it changes nothing' };
  // A function, because a text would have its `$` interpreted.
  return { ok: true, text: text.replace(find, () => replace) };
}

/** Lines of code as the one text that they are in a file. */
export function lines(...texts: readonly string[]): string {
  return texts.join('\n');
}
