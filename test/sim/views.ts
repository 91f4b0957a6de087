/**
 * S5: what the engine has in memory is what its log gives. While the world is in chaos a coordinator
 * may know of lazy records that have not landed, so a sample is compared one way; when all is quiet,
 * the whole view of every gid is compared.
 */
import type { TransactionView } from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../../server/core/transaction.ts';
import type { Answer } from '../../server/engine/coordinator.ts';
import type { Engine } from '../../server/engine/engine.ts';
import { createMailbox } from '../../server/engine/mailbox.ts';
import { toView } from '../../server/engine/view.ts';
import type { Oracles } from './oracles.ts';

/** Looks at one open gid in memory; `isHolder`: whether the term of that engine runs. */
export function checkMemory(
  engine: Engine,
  gid: string,
  oracles: Oracles,
  isHolder: () => boolean,
): void {
  engine.get({ gid }, (answer: Answer<TransactionView>) => {
    const tx = oracles.truth.get(gid);
    if (!answer.ok || tx === undefined || !isHolder()) return;
    const wrong = compare(answer.body, tx, engine.stats().pendingRows > 0);
    if (wrong !== null) oracles.fail('S5', gid, wrong);
  });
}

/** Looks at every gid; call it when nothing is under way. Answers come within the next events. */
export function checkAllMemory(engine: Engine, oracles: Oracles): void {
  for (const [gid, tx] of oracles.truth) {
    const wanted = JSON.stringify(toView(createMailbox(gid, 'ready'), tx));
    engine.get({ gid }, (answer: Answer<TransactionView>) => {
      const got = JSON.stringify(answer.ok ? answer.body : answer.code);
      if (got !== wanted) oracles.fail('S5', gid, `the engine shows ${got}, the log ${wanted}`);
    });
  }
}

function compare(view: TransactionView, tx: Transaction, hasPending: boolean): string | null {
  const parts = tx.mode === 'saga' ? tx.steps : tx.branches;
  for (const { branchId, ...part } of parts) {
    const seen = view.branches.find((branch) => branch.branchId === branchId);
    if (seen === undefined) return `branch ${branchId} is not in memory`;
    const isEnded = !['registered', 'waiting', 'asked'].includes(seen.state);
    const isDurable = 'state' in part ? part.state !== 'pending' : part.isFinished;
    if (isDurable && !isEnded)
      return `branch ${branchId} is durably ended, in memory ${seen.state}`;
    if (isEnded && !isDurable && !hasPending) return `the end of branch ${branchId} is not written`;
  }
  return view.branches.length > parts.length ? 'memory has branches that are not durable' : null;
}
