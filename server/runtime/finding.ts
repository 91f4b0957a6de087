/** What looks at something for `doctor` says when all is well; what is wrong it puts into words itself. */
import type { Finding } from '../../client-sdk/protocol/index.ts';

/** It was looked at and is in order. `check`: as in {@link Finding}; `seen`: with figures. */
export function inOrder(check: string, seen: string): Finding {
  return { check, level: 'ok', seen, remedy: null };
}
