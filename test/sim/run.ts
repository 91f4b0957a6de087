/**
 * One seed: a world is drawn, chaos reigns, then everything heals and liveness is demanded. The same
 * seed gives the same digest.
 */
import { type Bank, type BankRules, createBank } from './bank.ts';
import { createCluster, type Node } from './cluster.ts';
import { createCrashPoints } from './crash.ts';
import { createInitiators, type Seen } from './initiator.ts';
import { createNemesis } from './nemesis.ts';
import { createNetwork } from './network.ts';
import { createOracles, type Violation } from './oracles.ts';
import { createSimStore } from './store.ts';
import { drawSwarm, type FaultClass, type FaultRates, type Swarm } from './swarm.ts';
import { createWorld, type World } from './world.ts';

/** What came of a seed. */
export interface SeedReport {
  readonly swarm: Swarm;
  readonly digest: string;
  readonly events: number;
  readonly faults: number;
  readonly seen: Readonly<Record<Seen, number>>;
  readonly crashes: ReadonlyMap<string, number>;
  readonly violations: readonly Violation[];
  readonly virtualMs: number;
}

/** How to run a seed. */
export interface SeedWish {
  readonly seed: number;
  readonly transactions?: number;
  readonly off?: ReadonlySet<FaultClass>;
  readonly rules?: Partial<BankRules>;
  /** Hears the story while it happens. */
  readonly onNote?: (text: string) => void;
}

/** Runs one seed from beginning to end. */
export async function runSeed(wish: SeedWish): Promise<SeedReport> {
  const { seed } = wish;
  const world = createWorld(seed, wish.onNote ?? null);
  const swarm = drawSwarm(seed, world.dice('swarm'), wish);
  const calm = Object.fromEntries(
    Object.keys(swarm.faults).map((name) => [name, 0]),
  ) as unknown as FaultRates;
  let isChaos = true;
  const faults = () => (isChaos ? swarm.faults : calm);

  const oracles = createOracles();
  const banks: readonly Bank[] = Array.from({ length: swarm.participants }, (_, i) =>
    createBank(`bank${i + 1}`, swarm.accountsPerBank),
  );
  const moneyBefore = 100 * swarm.participants * swarm.accountsPerBank;
  const crash = createCrashPoints(
    world,
    () => faults().crash,
    (process) => cluster.died(process),
  );
  const store = createSimStore({ world, faults, crash });
  store.onLanded = (row) => {
    world.note(
      `${row.gid} row ${row.seq} of term ${row.epoch} landed: ${row.records.slice(0, 120)}`,
    );
    oracles.landed(row);
  };
  store.onTerm = (term) => world.note(`${term.node} begins term ${term.epoch}`);
  const network = createNetwork(world, faults);
  const rules = { dedupes: true, guardsEmpty: true, guardsHanging: true, ...wish.rules };
  const parts = { world, swarm, faults, store, network, crash, oracles, rules, banks };
  const cluster = createCluster(parts);
  const initiators = createInitiators({ ...parts, cluster });
  const nemesis = createNemesis({ ...parts, cluster });
  const seen: Record<Seen, number> = {
    committed: 0,
    rolledBack: 0,
    unknown: 0,
    abandoned: 0,
    refused: 0,
  };

  const first = cluster.nodes[0];
  if (first !== undefined) cluster.startNode(first);
  nemesis.start();
  const load = world.dice('load');
  for (let i = 0; i < swarm.transactions; i += 1) {
    const gid = `g${i}`;
    world.after(load.between(0, swarm.chaosMs), null, () => {
      initiators.transfer(gid, (how) => {
        world.note(`${gid} looks ${how} to its initiator`);
        seen[how] += 1;
      });
    });
  }
  const broken = () => oracles.violations().length > 0;
  await world.run(world.nowMs() + swarm.chaosMs, broken);
  isChaos = false;
  crash.isOn = false;
  nemesis.heal();
  if (!broken()) {
    const currentEpoch = () => store.store.term.epoch;
    await demandLiveness({ world, swarm, oracles, cluster, initiators, broken, currentEpoch });
  }
  if (!broken()) oracles.checkEnd(banks, moneyBefore);
  return {
    swarm,
    digest: world.digest(),
    events: world.events(),
    faults: store.faultsInjected() + network.faultsInjected() + nemesis.faultsInjected(),
    seen,
    crashes: crash.hits(),
    violations: oracles.violations(),
    virtualMs: world.nowMs() - 1_000_000_000,
  };
}

interface Living {
  readonly world: World;
  readonly swarm: Swarm;
  readonly oracles: ReturnType<typeof createOracles>;
  readonly cluster: ReturnType<typeof createCluster>;
  readonly initiators: ReturnType<typeof createInitiators>;
  readonly broken: () => boolean;
  readonly currentEpoch: () => number;
}

/** L1-L4: all ends, calls cease, and a fresh transfer commits within a second. */
async function demandLiveness(living: Living): Promise<void> {
  const { world, swarm, oracles, cluster, initiators, broken } = living;
  const isFinished = () =>
    [...oracles.truth.values()].every((tx) => tx.finishedAtMs !== null) || broken();
  // Slow messages, landings and initiators of the chaos are over after 90 s; then 10 x the longest backoff.
  await world.run(world.nowMs() + 90_000, broken);
  // An idle coordinator does not notice that its term is over; whoever runs two stops one. And the
  // take-over of a process that died may have landed last: then a supervisor starts another.
  const holds = (node: Node) =>
    node.process.isAlive && node.engine?.stats().epoch === living.currentEpoch();
  for (const node of cluster.nodes) if (!holds(node)) world.kill(node.process);
  const [first] = cluster.nodes;
  if (first !== undefined && !cluster.nodes.some(holds)) cluster.startNode(first);
  // A deadline was set by the clock of its node, so it may be late by as much as that was off (#14).
  const skewMs = swarm.faults.clockStepPerSecond > 0 ? 4 * 3_600_000 : 0;
  const patienceMs = 10 * swarm.retryCapMs + swarm.timeoutMs + skewMs + 60_000;
  await world.run(world.nowMs() + patienceMs, isFinished);
  if (broken() || !isFinished()) return;
  await world.run(world.nowMs() + 30_000, broken);
  cluster.takeCallCount();
  await world.run(world.nowMs() + 60_000, broken);
  const calls = cluster.takeCallCount();
  if (calls > 0) oracles.fail('L3', '-', `${calls} calls in a minute in which nothing was owed`);
  const live = cluster.nodes.filter(
    (node) => node.process.isAlive && node.engine?.stats().epoch === living.currentEpoch(),
  );
  if (live.length !== 1) oracles.fail('L1', '-', `${live.length} coordinators are running`);
  for (const node of live) {
    const stats = node.engine?.stats();
    if (stats !== undefined && (stats.open > 0 || stats.pendingRows > 0 || stats.timers > 0)) {
      oracles.fail('S11', '-', `left in memory: ${JSON.stringify(stats)}`);
    }
  }
  const fresh: { seen: Seen } = { seen: 'unknown' };
  initiators.plainTransfer('fresh', (how) => {
    fresh.seen = how;
  });
  await world.run(
    world.nowMs() + 1_000 + (cluster.nodes.length - 1) * 10_000,
    () => fresh.seen !== 'unknown',
  );
  if (fresh.seen !== 'committed') {
    oracles.fail('L4', 'fresh', `a fresh transfer looks ${fresh.seen}`);
  }
  await world.run(world.nowMs() + 5_000, broken);
}
