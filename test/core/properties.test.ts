/**
 * Random stories: after every event the invariants of `invariants.ts` hold, a saga that ends rolled
 * back has undone every step that was ever asked (in any term), nobody hears two directions, and
 * with fair answers everything ends. To see one story: `playRandomStory(seed)`.
 */
import { expect, test } from 'vitest';
import { type Ending, playRandomStory } from './random-story.ts';

const seedsMax = 4_000;

test(`${seedsMax} random stories keep every invariant and end`, () => {
  const endings: Ending[] = [];
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    try {
      endings.push(playRandomStory(seed));
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  // The generator must reach every ending often, and crashes must take something.
  for (const mode of ['transaction', 'saga'] as const) {
    for (const phase of ['committed', 'rolledBack'] as const) {
      const count = endings.filter(
        (ending) => ending.mode === mode && ending.phase === phase,
      ).length;
      expect(count, `${mode} ${phase}`).toBeGreaterThan(seedsMax / 20);
    }
    const lost = endings.filter((ending) => ending.mode === mode && ending.lost > 0).length;
    expect(lost, `${mode} that lost records`).toBeGreaterThan(seedsMax / 40);
  }
});

test('the same seed tells the same story', () => {
  expect(playRandomStory(7)).toEqual(playRandomStory(7));
});
