/** How a statement is refused: one code, the shape of the statement, and what to write instead. */
import { SettleError } from '../errors.ts';

/** `hint`: how to get the same effect, as an imperative sentence. */
export function unsupported(what: string, hint: string): SettleError {
  return new SettleError('AT_UNSUPPORTED_SQL', `${what}: ${hint}`);
}
