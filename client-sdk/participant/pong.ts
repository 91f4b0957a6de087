/** The answer to `ping`, over the channel and over HTTP: that we are there, and of which version. */
import type { CallAnswer, Pong } from '../protocol/index.ts';
import { version } from '../version.ts';

/** Says so at once; nothing is looked up. */
export function pong(): Extract<CallAnswer, { outcome: 'done' }> {
  return { outcome: 'done', result: { version } satisfies Pong };
}
