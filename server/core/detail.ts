/** Texts for people that go into records: never longer than the limit, never ill-formed. */
import { limits } from '../../client-sdk/protocol/index.ts';
import type { OperationResult } from './event.ts';

/**
 * Cuts a text to `detailLengthMax` UTF-16 units. A character that the cut would split (or that came
 * split already) becomes U+FFFD, for not every JSON reader takes half a surrogate pair.
 */
export function shortDetail(text: string): string {
  return text.slice(0, limits.detailLengthMax).toWellFormed();
}

/** What a participant said when it did not say `done`. */
export function errorOf(result: OperationResult): string {
  return result.error ?? 'no reason given';
}
