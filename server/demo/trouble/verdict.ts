/**
 * What became of a failure once its transaction has ended, judged by the books and not by the
 * coordinator alone: `skip` and `resolve` end a transaction and move nothing. Pure.
 */
import type { Phase } from '../../../client-sdk/protocol/index.ts';
import { checkout, kettles, openingCents, payout, type TroubleKind } from './story.ts';

/** What stands in the databases. */
export interface Books {
  /** Money of all wallets: what is free and what is held. */
  readonly totalCents: number;
  /** The kettles; null: there is no such database, or no such row any more. */
  readonly kettle: { readonly pieces: number; readonly shelf: string } | null;
}

/** How it ended. */
export interface Verdict {
  /** Everything is as somebody who understands the case would want it. */
  readonly isRight: boolean;
  /** One or two sentences. */
  readonly text: string;
}

const openingTotal = Object.values(openingCents).reduce((sum, cents) => sum + cents, 0);

/** Judges a transaction that has ended in this phase. */
export function judge(kind: TroubleKind, phase: Phase, books: Books): Verdict {
  switch (kind) {
    case 'poison':
      return ofPayout(books);
    case 'dirty':
      return ofOrder(books);
    case 'abandoned':
      return ofCheckout(phase);
    default:
      throw new Error(`there is no trouble ${kind satisfies never}`);
  }
}

/** It was decided to commit, so money that has left one wallet must be in another one. */
function ofPayout({ totalCents }: Books): Verdict {
  const missing = openingTotal - totalCents;
  const { name } = payout;
  if (missing === 0) {
    return { isRight: true, text: `The ${name} has ended, and no cent is missing.` };
  }
  if (missing < 0) return { isRight: false, text: textOfTooMuch(-missing) };
  const text =
    `The ${name} counts as done, and ${euros(missing)} are in no wallet: ` +
    'saying that it is done moves no money. Mend it in the wallets; this is asked again.';
  return { isRight: false, text };
}

/** Somebody has booked by hand, and the confirm, which was still owed, has booked as well. */
function textOfTooMuch(extra: number): string {
  const { name, cents } = payout;
  return (
    `The ${name} has ended, and ${euros(cents + extra)} were booked where ${euros(cents)} were owed: ` +
    'what is still owed is asked again, also while somebody books it by hand. ' +
    `Take ${euros(extra)} out again; this is looked at again.`
  );
}

function ofOrder({ kettle }: Books): Verdict {
  if (kettle === null)
    return { isRight: false, text: 'The order has ended; the kettles are gone.' };
  const { pieces, shelf } = kettle;
  const now = `The order has ended: ${pieces} kettles on shelf ${shelf}.`;
  const isBack = pieces === kettles.before.pieces;
  const isMoved = shelf === kettles.movedTo;
  if (isBack && isMoved) {
    const text = `${now} Those that it took are back, and the move of the warehouse stands.`;
    return { isRight: true, text };
  }
  const lost = isMoved ? [] : [`the warehouse has them on ${kettles.movedTo}`];
  const wrong = isBack ? [] : [`${kettles.before.pieces} were there before an order that is none`];
  const text = `${now} But ${[...lost, ...wrong].join(', and ')}. Mend it in the stock.`;
  return { isRight: false, text };
}

/** Either way nobody waits any more; that Ben did not pay makes a rollback the better one. */
function ofCheckout(phase: Phase): Verdict {
  const { name, cents, from } = checkout;
  if (phase === 'rolledBack') {
    const text = `The abandoned ${name} is rolled back: ${from} has ${euros(cents)} to spend again.`;
    return { isRight: true, text };
  }
  return { isRight: true, text: `The ${name} is committed: ${from} has paid ${euros(cents)}.` };
}

function euros(cents: number): string {
  return (cents / 100).toFixed(2);
}
