/** What `settle demo --trouble` says of the books when a transaction has ended. */
import { expect, test } from 'vitest';
import { openingCents } from '../../server/demo/trouble/story.ts';
import { type Books, judge } from '../../server/demo/trouble/verdict.ts';

const total = Object.values(openingCents).reduce((sum, cents) => sum + cents, 0);
const books = (pieces: number, shelf: string, totalCents = total): Books => ({
  totalCents,
  kettle: { pieces, shelf },
});

test.each([
  [0, true, 'no cent is missing'],
  [-4_200, false, '42.00 are in no wallet'],
  [4_200, false, '84.00 were booked where 42.00 were owed'],
])('a payout that leaves the wallets %d cents off', (cents, isRight, text) => {
  const verdict = judge('poison', 'committed', books(10, 'B-7', total + cents));
  expect(verdict).toMatchObject({ isRight, text: expect.stringContaining(text) });
});

test('only of money that is missing it says that somebody has called it done', () => {
  const textOf = (cents: number) => judge('poison', 'committed', books(10, 'B-7', cents)).text;
  expect(textOf(total - 4_200)).toContain('saying that it is done moves no money');
  expect(textOf(total + 4_200)).not.toContain('done');
});

test.each([
  ['merged', 10, 'B-7', true, /are back, and the move of the warehouse stands/],
  ['restored', 10, 'A-1', false, /But the warehouse has them on B-7\. Mend/],
  ['kept', 7, 'B-7', false, /But 10 were there before an order that is none\. Mend/],
  ['lost', 7, 'A-1', false, /on B-7, and 10 were there/],
])('kettles that were %s', (_, pieces, shelf, isRight, text) => {
  const verdict = judge('dirty', 'rolledBack', books(pieces, shelf));
  expect(verdict).toMatchObject({ isRight, text: expect.stringMatching(text) });
});

test('kettles that are gone, and a checkout either way', () => {
  expect(judge('dirty', 'rolledBack', { ...books(0, ''), kettle: null }).isRight).toBe(false);
  expect(judge('abandoned', 'rolledBack', books(10, 'B-7')).text).toContain('ben has 19.00');
  expect(judge('abandoned', 'committed', books(10, 'B-7')).isRight).toBe(true);
});
