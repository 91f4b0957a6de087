/**
 * One seed: a world is drawn, chaos reigns, then everything heals and liveness is demanded. The same
 * seed gives the same digest.
 */
import { type Bank, type BankRules, createBank } from './bank.ts';
import { type Cluster, createCluster } from './cluster.ts';
import { createCrashPoints } from './crash.ts';
import { createDesk } from './desk.ts';
import { createFaults } from './faults.ts';
import { createInitiators, type Seen } from './initiator.ts';
import { demandLiveness } from './liveness.ts';
import { createNemesis } from './nemesis.ts';
import { createNetwork } from './network.ts';
import { createOracles, type Oracles, type Violation } from './oracles.ts';
import { rivalOf } from './rival.ts';
import { createServices } from './services.ts';
import { createSimStore } from './store.ts';
import { drawSwarm, type Swarm, type SwarmWish } from './swarm.ts';
import { checkMemory } from './views.ts';
import { createWorld, type Listener, type World } from './world.ts';

/** What came of a seed. */
export interface SeedReport {
  readonly swarm: Swarm;
  readonly digest: string;
  readonly events: number;
  /** Names of the faults that struck, in order. */
  readonly faults: readonly string[];
  readonly seen: Readonly<Record<Seen, number>>;
  readonly crashes: ReadonlyMap<string, number>;
  readonly violations: readonly Violation[];
  readonly virtualMs: number;
}

/** How to run a seed. */
export interface SeedWish extends SwarmWish {
  readonly seed: number;
  /** Only these transfers take place, by number; the others' draws stay what they are. */
  readonly transfers?: ReadonlySet<number>;
  /** Only these faults strike, by name. */
  readonly only?: ReadonlySet<string>;
  /** Protections of the participants that are switched off, to prove that the oracles notice. */
  readonly rules?: Partial<BankRules>;
  /** Hears the story while it happens. */
  readonly onNote?: Listener;
}

const allRules: BankRules = {
  dedupes: true,
  guardsEmpty: true,
  guardsHanging: true,
  locks: true,
};

/** Runs one seed from beginning to end. */
export async function runSeed(wish: SeedWish): Promise<SeedReport> {
  const { seed } = wish;
  const world = createWorld(seed, wish.onNote ?? null);
  const swarm = drawSwarm(seed, world.dice('swarm'), wish);
  const banks: readonly Bank[] = Array.from({ length: swarm.participants }, (_, i) =>
    createBank(`bank${i + 1}`, swarm.accountsPerBank),
  );
  const faults = createFaults(world, swarm.faults, wish.only ?? null);
  const oracles = createOracles(banks);
  const crash = createCrashPoints({
    world,
    swarm,
    faults,
    died: (process) => cluster.died(process),
  });
  const store = createSimStore({ world, swarm, faults, crash });
  store.onLanded = (row) => {
    world.note(`${row.gid} row ${row.seq} of term ${row.epoch} lands`, () => summary(row.records));
    oracles.landed(row, store.store.index.get(row.gid));
  };
  store.onTerm = (term) => world.note(`${term.node} begins term ${term.epoch}`);
  store.rival = (row) => rivalOf(row, oracles.truth.get(row.gid) ?? null, world.nowMs());
  const network = createNetwork(world, faults);
  const rules = { ...allRules, ...wish.rules };
  const parts = { world, swarm, faults, store, network, crash, oracles, rules, banks };
  const services = createServices(parts);
  const cluster: Cluster = createCluster({ ...parts, services });
  const desk = createDesk({ world, swarm, oracles, cluster });
  const initiators = createInitiators({ ...parts, services, cluster, desk });
  const nemesis = createNemesis({ ...parts, cluster });
  const seen: Record<Seen, number> = { committed: 0, rolledBack: 0, unknown: 0, refused: 0 };

  const [first, second] = cluster.nodes;
  if (first !== undefined) cluster.startNode(first);
  if (second !== undefined && swarm.isFirstStale) {
    world.after(1_000, null, () => cluster.startNode(second));
  }
  nemesis.start();
  watchMemory(world, cluster, oracles, world.nowMs() + swarm.chaosMs / 2);
  const load = world.dice('load');
  for (let i = 0; i < swarm.transactions; i += 1) {
    const gid = `g${i}`;
    const atMs = load.between(0, swarm.chaosMs);
    if (wish.transfers?.has(i) === false) continue;
    world.after(atMs, null, () => {
      initiators.transfer(gid, (how) => {
        seen[how] += 1;
      });
    });
  }
  const broken = () => oracles.violations().length > 0;
  const living = { world, swarm, oracles, cluster, initiators, nemesis, desk, broken };
  try {
    await world.run(world.nowMs() + swarm.chaosMs, broken);
    faults.heal();
    if (!broken()) await demandLiveness(living);
    if (!broken()) oracles.checkEnd();
  } catch (error) {
    // What the coordinator throws would end its process, perhaps for ever again.
    oracles.fail('threw', '-', error instanceof Error ? (error.stack ?? error.message) : 'nothing');
  }
  return {
    swarm,
    digest: world.digest(),
    events: world.events(),
    faults: faults.struck(),
    seen,
    crashes: crash.hits(),
    violations: oracles.violations(),
    virtualMs: world.nowMs(),
  };
}

/**
 * Looks at an open transaction in memory now and then, during the chaos only: a look makes a
 * coordinator read what it does not know, and would hide what recovery has forgotten.
 */
function watchMemory(world: World, cluster: Cluster, oracles: Oracles, untilMs: number): void {
  const dice = world.dice('look');
  const look = () => {
    if (world.nowMs() > untilMs) return;
    world.after(dice.between(20, 5_000), null, look);
    const [holder] = cluster.holders();
    if (holder?.engine == null || oracles.open.size === 0 || holder.process.isPaused) return;
    const gid = dice.pick([...oracles.open]);
    checkMemory(holder.engine, gid, oracles, () => cluster.holders().includes(holder));
  };
  look();
}

/** Kinds of the records of a row, with what matters of each. */
function summary(records: string): string {
  const list = JSON.parse(records) as readonly {
    readonly kind: string;
    readonly direction?: string;
    readonly cause?: { readonly kind: string };
    readonly branchId?: number;
    readonly done?: readonly { readonly branchId: number; readonly operation: string }[];
  }[];
  return list
    .map(({ kind, direction, cause, branchId, done }) => {
      const what = done?.map((one) => `${one.operation} ${one.branchId}`).join(', ');
      return [kind, direction, cause?.kind, what, branchId]
        .filter((word) => word != null)
        .join(' ');
    })
    .join('; ');
}
