/** Content hashes: how a repeated request is told from another one under the same id. */
import { hash } from 'node:crypto';

/** SHA-256 of the text, base64url without padding (43 characters). */
export function hashText(text: string): string {
  return hash('sha256', text, 'base64url');
}
