/**
 * Logs with one protection switched off, for `--break`: the port wrapped from outside, so that no
 * line of the product knows of it.
 */
import type { Append, AppendAnswer, Term, TransactionLog } from '../../../server/log/log.ts';

/**
 * Neither fence nor compare-and-set: whoever is refused is told that it was written, and rows of a
 * later term look like one's own.
 */
export function withoutFence(log: TransactionLog): TransactionLog {
  let epoch = 0;
  const disguised = { answer: 'appended' } as const;
  return {
    ...log,
    async takeOver(node, address, atMs) {
      const term = await log.takeOver(node, address, atMs);
      epoch = term.epoch;
      return term;
    },
    async append(term, batch) {
      const answers = await log.append(term, batch);
      return answers.map((answer) => (answer === 'unknown' ? answer : disguised.answer));
    },
    async read(gids) {
      const rows = await log.read(gids);
      return rows.map((row) => ({ ...row, epoch: Math.min(row.epoch, epoch) }));
    },
  };
}

/** How long an append that was answered already waits before it is really sent. */
const lateMs = 500;

/** "Appended" is said at once; the rows follow later, in their order, unless the process dies before. */
export function withoutDurability(log: TransactionLog): TransactionLog {
  let last: Promise<void> = Promise.resolve();
  return {
    ...log,
    async append(term, batch) {
      const time = new Promise<void>((resolve) => setTimeout(resolve, lateMs));
      last = Promise.all([last, time]).then(() => insist(log, term, batch));
      return batch.map((): AppendAnswer => 'appended');
    },
  };
}

async function insist(log: TransactionLog, term: Term, batch: readonly Append[]): Promise<void> {
  for (;;) {
    const answers = await log.append(term, batch);
    if (!answers.includes('unknown')) return;
  }
}
