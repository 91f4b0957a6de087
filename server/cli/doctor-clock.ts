/** Whether the clock of this machine and that of a coordinator agree, by the `Date` of its answer. */
import type { Finding } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { inOrder } from '../runtime/finding.ts';

/** The header has whole seconds, so one of them says nothing yet. */
const skewMsMax = 2_000;
const requestMsMax = 10_000;

/** One request to `/healthz`, which needs no token. A proxy in between answers by its own clock. */
export async function coordinatorClock(url: string, clock: Clock): Promise<Finding> {
  const check = 'clock.here';
  const sentMs = clock.nowMs();
  const response = await fetch(new URL('/healthz', url), {
    signal: AbortSignal.timeout(requestMsMax),
    redirect: 'error',
  }).catch(() => null);
  const receivedMs = clock.nowMs();
  await response?.body?.cancel();
  const toldMs = Date.parse(response?.headers.get('date') ?? '');
  if (Number.isNaN(toldMs)) {
    const remedy = 'Compare the clocks by hand: a proxy in between has taken the Date header away.';
    const seen = 'The coordinator did not tell its time.';
    return { check, level: 'note', seen, remedy };
  }
  return clockFinding(check, toldMs + 500 - (sentMs + receivedMs) / 2);
}

function clockFinding(check: string, skewMs: number): Finding {
  const seconds = `${(Math.abs(skewMs) / 1_000).toFixed(1)} s`;
  if (Math.abs(skewMs) <= skewMsMax) {
    const seen = `The coordinator's clock is within ${seconds} of this one.`;
    return inOrder(check, seen);
  }
  return {
    check,
    level: 'problem',
    seen: `The coordinator's clock is ${seconds} ${skewMs > 0 ? 'ahead of' : 'behind'} this one.`,
    remedy:
      'Let both machines follow the same time servers (chrony, ntpd); until then times in lists ' +
      'and deadlines mean something else here than there.',
  };
}
