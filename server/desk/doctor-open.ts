/** Open transactions that a human should see: what `doctor` says of them. */
import type { Finding } from '../../client-sdk/protocol/index.ts';
import type { Coordinator } from '../engine/coordinator.ts';
import type { Clock } from '../runtime/clock.ts';
import { inOrder } from '../runtime/finding.ts';

/** What looking at them needs. */
export interface OpenPorts {
  readonly clock: Clock;
  readonly coordinator: Pick<Coordinator, 'census'>;
}

/** Few businesses take so long; a saga that does is a note, not a problem. */
const oldMs = 10 * 60_000;

/** Those that need a human, and the oldest one: whose initiator is gone asks for nobody. */
export function openFindings({ clock, coordinator }: OpenPorts): readonly Finding[] {
  const { attention, oldestOpen } = coordinator.census();
  return [attentionFinding(attention), oldFinding(oldestOpen, clock.nowMs())];
}

function attentionFinding(attention: number): Finding {
  const check = 'transactions.attention';
  if (attention === 0) return inOrder(check, 'No transaction needs a human.');
  return {
    check,
    level: 'problem',
    seen: `Transactions that need a human: ${attention}.`,
    remedy: 'See them with `settle tx list --attention`, and each with `settle tx explain GID`.',
  };
}

type OldestOpen = ReturnType<Coordinator['census']>['oldestOpen'];

function oldFinding(oldest: OldestOpen, nowMs: number): Finding {
  const check = 'transactions.old';
  const ageMs = oldest === null ? 0 : nowMs - oldest.startedAtMs;
  if (oldest === null || ageMs < oldMs) {
    return inOrder(check, `No transaction is open for ${oldMs / 60_000} minutes.`);
  }
  return {
    check,
    level: 'note',
    seen: `${oldest.gid} is open for ${Math.floor(ageMs / 60_000)} minutes, longer than all others.`,
    remedy: `See why with \`settle tx explain ${oldest.gid}\`; others with \`settle tx list --outcome open --older-than 10m\`.`,
  };
}
