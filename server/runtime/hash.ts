/** Content hashes: how a repeated request is told from another one under the same id. */
import { createHash } from 'node:crypto';

/** SHA-256 of the text, base64url without padding (43 characters). */
export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
