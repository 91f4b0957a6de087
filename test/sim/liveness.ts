/**
 * After the chaos: everything heals but perhaps one bank, which shows that only who has business with
 * it waits; then that heals too and all must end (L1-L5).
 */
import type { Transaction } from '../../server/core/transaction.ts';
import type { Cluster, Node } from './cluster.ts';
import type { Desk } from './desk.ts';
import type { Initiators, Seen } from './initiator.ts';
import { type Nemesis, skewMsMax } from './nemesis.ts';
import type { Oracles, Violation } from './oracles.ts';
import type { Swarm } from './swarm.ts';
import { checkAllMemory } from './views.ts';
import type { World } from './world.ts';

/** What liveness is demanded of. */
export interface Living {
  readonly world: World;
  readonly swarm: Swarm;
  readonly oracles: Oracles;
  readonly cluster: Cluster;
  readonly initiators: Initiators;
  readonly nemesis: Nemesis;
  readonly desk: Desk;
  readonly broken: () => boolean;
}

/** Messages, landings and initiators of the chaos are over by then. */
const settleMs = 90_000;

/** L1-L5, in this order; returns early when something is violated. */
export async function demandLiveness(living: Living): Promise<void> {
  const { world, swarm, oracles, cluster, nemesis, desk, broken } = living;
  const gone = swarm.isOneBankGone && swarm.participants > 1 ? 'bank1' : null;
  nemesis.heal(gone);
  await world.run(world.nowMs() + settleMs, broken);
  const silent = desk.unanswered(60_000);
  for (const text of silent) oracles.fail('answers', text.split(' ')[0] ?? '-', `never: ${text}`);
  leaveOneCoordinator(cluster, world);
  const patienceMs = 10 * swarm.retryCapMs + 1.3 * swarm.timeoutMs + 60_000;
  if (gone !== null) {
    const isAsItShould = () => broken() || troubled(oracles, gone) === null;
    await world.run(world.nowMs() + patienceMs, isAsItShould);
    const trouble = troubled(oracles, gone);
    if (trouble !== null) oracles.fail(trouble.rule, trouble.gid, trouble.detail);
    for (const service of cluster.services) service.isKeptAway = false;
    const [first] = cluster.services;
    if (first !== undefined) cluster.startService(first);
  }
  const isSettled = () => broken() || unsettled(oracles) === null;
  await world.run(world.nowMs() + patienceMs, isSettled);
  const late = unsettled(oracles);
  if (late !== null) return oracles.fail('L1', late.gid, `still ${late.phase} after healing`);
  // A deadline was set by the clock of its node, so it may be late by as much as that was off (#14).
  const skewMs = swarm.faults.clockStepPerSecond > 0 ? 2 * skewMsMax : 0;
  const isFinished = () => broken() || oracles.open.size === 0;
  await world.run(world.nowMs() + skewMs + patienceMs, isFinished);
  if (broken() || !isFinished()) return;
  await world.run(world.nowMs() + 30_000, broken);
  await checkQuiet(living);
  await checkFresh(living);
}

/**
 * An idle coordinator does not notice that its term is over; whoever runs two stops one. And the
 * take-over of a process that died may have landed last: then a supervisor starts another.
 */
function leaveOneCoordinator(cluster: Cluster, world: World): void {
  const holders = cluster.holders();
  for (const node of cluster.nodes) if (!holders.includes(node)) world.kill(node.process);
  const [first] = cluster.nodes;
  if (first !== undefined && holders.length === 0) cluster.startNode(first);
}

/** One that owes something or can go on by itself, and has not ended; others wait for their deadline. */
function unsettled(oracles: Oracles): Transaction | null {
  for (const gid of oracles.open) {
    const tx = oracles.truth.get(gid);
    if (tx !== undefined && !isWaiting(tx)) return tx;
  }
  return null;
}

function isWaiting(tx: Transaction): boolean {
  return tx.mode === 'transaction' && tx.phase === 'active';
}

/** Who has no business with the bank that is gone has ended; who has is under attention (#17, #18). */
function troubled(oracles: Oracles, gone: string): Violation | null {
  for (const gid of oracles.open) {
    const tx = oracles.truth.get(gid);
    if (tx === undefined || isWaiting(tx)) continue;
    const parts = tx.mode === 'saga' ? tx.steps : tx.branches;
    const isInvolved = parts.some(
      ({ participant }) => 'service' in participant && participant.service === gone,
    );
    if (!isInvolved) {
      return { rule: 'L5', gid, detail: `still ${tx.phase}, though only ${gone} is away` };
    }
    if (tx.attention === null) {
      return { rule: 'attention', gid, detail: `${tx.phase}, with ${gone} away, unnoticed` };
    }
  }
  return null;
}

/** L3, S5, S11: nothing is asked, nothing is left in memory, and all is as the log says. */
async function checkQuiet({ world, oracles, cluster, broken }: Living): Promise<void> {
  cluster.takeCallCount();
  await world.run(world.nowMs() + 60_000, broken);
  const calls = cluster.takeCallCount();
  if (calls > 0) oracles.fail('L3', '-', `${calls} calls in a minute in which nothing was owed`);
  const live = cluster.holders();
  if (live.length !== 1) oracles.fail('L1', '-', `${live.length} coordinators are running`);
  for (const node of live) {
    checkEmpty(node, oracles);
    if (node.engine !== null) checkAllMemory(node.engine, oracles);
  }
  await world.run(world.nowMs() + 1_000, broken);
}

function checkEmpty({ engine }: Node, oracles: Oracles): void {
  const stats = engine?.stats();
  if (stats === undefined) return;
  const { open, pendingRows, timers, callsInFlight } = stats;
  if (open + pendingRows + timers + callsInFlight > 0) {
    const left = JSON.stringify({ open, pendingRows, timers, callsInFlight });
    oracles.fail('S11', '-', `left in memory: ${left}`);
  }
}

/** L4: a fresh transfer commits within a second. */
async function checkFresh({ world, oracles, initiators, broken }: Living): Promise<void> {
  const fresh: { seen: Seen } = { seen: 'unknown' };
  initiators.plainTransfer('fresh', (how) => {
    fresh.seen = how;
  });
  await world.run(world.nowMs() + 1_000, () => fresh.seen !== 'unknown' || broken());
  if (fresh.seen !== 'committed') {
    oracles.fail('L4', 'fresh', `a fresh transfer looks ${fresh.seen}`);
  }
  await world.run(world.nowMs() + 5_000, broken);
}
