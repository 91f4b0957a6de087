/** What the initiators have reported so far, and who waits for how much of it. */
import type { Tally } from './messages.ts';
import type { Teller } from './workload.ts';

/** The sum over all initiators, as it grows. */
export interface Tallies {
  /** Transfers below this index may be started. */
  readonly released: number;
  release(released: number): void;
  heard(teller: Teller, tally: Tally): void;
  total(): Tally;
  /** True when so many transfers have been answered; false when nothing moved for `patienceMs`. */
  answered(count: number, patienceMs: number): Promise<boolean>;
}

const nothing: Tally = { answered: 0, committed: 0, rolledBack: 0, abandoned: 0, resolved: 0 };

/** Nothing is released and nothing was heard. */
export function createTallies(): Tallies {
  const heard = new Map<Teller, Tally>();
  const waiting = new Set<() => void>();
  let released = 0;

  function total(): Tally {
    return [...heard.values()].reduce(
      (sum, tally) => ({
        answered: sum.answered + tally.answered,
        committed: sum.committed + tally.committed,
        rolledBack: sum.rolledBack + tally.rolledBack,
        abandoned: sum.abandoned + tally.abandoned,
        resolved: sum.resolved + tally.resolved,
      }),
      nothing,
    );
  }

  return {
    get released() {
      return released;
    },
    release(more) {
      released = Math.max(released, more);
    },
    heard(teller, tally) {
      heard.set(teller, tally);
      for (const look of waiting) look();
    },
    total,
    async answered(count, patienceMs) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      let last = total().answered;
      const give = (): void => resolve(false);
      let timer = setTimeout(give, patienceMs).unref();
      const look = (): void => {
        const { answered } = total();
        if (answered >= count) resolve(true);
        if (answered === last) return;
        last = answered;
        clearTimeout(timer);
        timer = setTimeout(give, patienceMs).unref();
      };
      waiting.add(look);
      look();
      const isReached = await promise;
      waiting.delete(look);
      clearTimeout(timer);
      return isReached;
    },
  };
}
