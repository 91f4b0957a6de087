/**
 * Which single test found each mutant when the list was last made, so that this test is asked first.
 * It decides the order and nothing else: a test that finds nothing any more, that is gone, or that
 * fails without the bug, is passed over, and the suites are asked as a whole.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KillerName } from './killers.ts';

/** One test: its file, from the root, and its path in it, as `pathOf` makes it. */
export interface TestPlace {
  readonly file: string;
  readonly test: string;
}

/** The test that found a mutant, and the suite that it belongs to. */
export interface Sighting extends TestPlace {
  readonly by: KillerName;
}

/** By the names of mutants. */
export type Sightings = Readonly<Record<string, Sighting>>;

const file = join(import.meta.dirname, 'sightings.json');
/** What `describeOn` adds to a name: it depends on the machine. */
const places = /\((?:environment|container|program)\)/g;
const anyPlace = '(…)';

/** The path of a test from the titles around it and its own, wherever its server comes from. */
export function pathOf(titles: readonly string[]): string {
  return titles.join(' > ').replaceAll(places, anyPlace);
}

/** Text of a regular expression that fits these paths and no other. vitest joins titles as we do. */
export function patternOf(paths: readonly string[]): string {
  const quoted = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const patterns = paths.map((path) => path.split(anyPlace).map(quoted).join(places.source));
  return `^(?:${patterns.join('|')})$`;
}

/** The list as it stands in the repository. */
export function readSightings(): Sightings {
  // Parse boundary: a file of ours, which a test holds to the lists.
  return JSON.parse(readFileSync(file, 'utf8')) as Sightings;
}

/** Writes the list: names that are not in `order` are left out. */
export function writeSightings(sightings: Sightings, order: readonly string[]): void {
  const sorted = order.flatMap((name) => {
    const sighting = sightings[name];
    return sighting === undefined ? [] : [[name, sighting]];
  });
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
}
