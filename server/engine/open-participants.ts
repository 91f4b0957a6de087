/** Who has a part in open transactions: by participant, how many and since when. Pure. */
import type { EpochMs, Participant } from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../core/transaction.ts';

/** A participant of transactions that are not finished. */
export interface OpenParticipant {
  readonly participant: Participant;
  /** Open transactions in which something of it is not finished. */
  readonly transactions: number;
  /** When the oldest of them was begun. */
  readonly oldestStartedAtMs: EpochMs;
}

/** In order of their first appearance. Looks at every state once. */
export function openParticipantsOf(
  states: Iterable<{ readonly tx: Transaction | null }>,
): readonly OpenParticipant[] {
  const found = new Map<string, OpenParticipant>();
  for (const { tx } of states) {
    if (tx === null || tx.finishedAtMs !== null) continue;
    const own = new Map(unfinished(tx).map((participant) => [keyOf(participant), participant]));
    for (const [key, participant] of own) {
      const { transactions, oldestStartedAtMs } = found.get(key) ?? {
        transactions: 0,
        oldestStartedAtMs: tx.startedAtMs,
      };
      found.set(key, {
        participant,
        transactions: transactions + 1,
        oldestStartedAtMs: Math.min(oldestStartedAtMs, tx.startedAtMs),
      });
    }
  }
  return [...found.values()];
}

function unfinished(tx: Transaction): readonly Participant[] {
  if (tx.mode === 'transaction') {
    return tx.branches
      .filter(({ isFinished }) => !isFinished)
      .map(({ participant }) => participant);
  }
  const isRollingBack = tx.phase === 'rollingBack';
  const left = tx.steps.filter(({ branchId, state }) =>
    isRollingBack ? tx.undo.includes(branchId) && state !== 'undone' : state === 'pending',
  );
  return left.map(({ participant }) => participant);
}

/** No address has a space in it, and no name. */
function keyOf(participant: Participant): string {
  if ('url' in participant) return participant.url;
  return `${participant.service} ${participant.method}`;
}
