/** Dirty rows and what becomes of them, end to end: all stories on one kind of database. */
import type { EitherKind } from './either-kind.ts';
import { choices } from './resolve-choices.ts';
import { looks } from './resolve-looks.ts';
import { refusals } from './resolve-refusals.ts';
import { resolveWorld } from './resolve-world.ts';

/** Declares the suite. */
export function resolveSuite(kind: EitherKind): void {
  const world = resolveWorld(kind);
  looks(world);
  choices(world);
  refusals(world);
}
