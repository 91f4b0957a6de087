/** What befalls the world as a whole: kills, pauses, cuts, clocks that jump, and take-overs. */
import type { Cluster } from './cluster.ts';
import type { Network } from './network.ts';
import type { SimStore } from './store.ts';
import type { FaultRates, Swarm } from './swarm.ts';
import type { Process, World } from './world.ts';

/** The nemesis of one run. */
export interface Nemesis {
  start(): void;
  /** Ends all faults; makes sure that one coordinator and all services run. */
  heal(): void;
  faultsInjected(): number;
}

/** What the nemesis plays with. */
export interface NemesisParts {
  readonly world: World;
  readonly swarm: Swarm;
  readonly faults: () => FaultRates;
  readonly store: SimStore;
  readonly network: Network;
  readonly cluster: Cluster;
}

const tickMs = 100;

/** Acts every 100 ms by the rates of the seed. */
export function createNemesis(parts: NemesisParts): Nemesis {
  const { world, faults, store, network, cluster } = parts;
  const dice = world.dice('nemesis');
  let injected = 0;
  let isOn = true;

  const names = () => [
    'initiator',
    ...cluster.nodes.map((node) => node.name),
    ...cluster.services.map((service) => service.bank.name),
  ];
  const processes = (): readonly Process[] => [
    ...cluster.nodes.map((node) => node.process),
    ...cluster.services.map((service) => service.process),
  ];

  function tick(): void {
    if (!isOn) return;
    world.after(tickMs, null, tick);
    const rates = faults();
    const happens = (perSecond: number) => dice.chance((perSecond * tickMs) / 1_000);
    if (happens(rates.killPerSecond)) kill(dice.pick(processes()));
    if (happens(rates.pausePerSecond)) pause(dice.pick(processes()));
    if (happens(rates.cutPerSecond)) cut(dice.pick(names()), dice.pick(names()));
    if (happens(rates.clockStepPerSecond)) step(dice.pick(cluster.nodes).process);
    if (happens(rates.takeOverPerSecond)) {
      injected += 1;
      const idle = cluster.nodes.filter((node) => node.engine?.stats().state !== 'running');
      const node = dice.pick(idle.length > 0 ? idle : cluster.nodes);
      cluster.startNode(node);
    }
  }

  function kill(process: Process): void {
    if (!process.isAlive) return;
    injected += 1;
    world.note(`${process.name} is killed`);
    world.kill(process);
    cluster.died(process);
  }

  function pause(process: Process): void {
    if (!process.isAlive || process.isPaused) return;
    injected += 1;
    world.note(`${process.name} is paused`);
    world.pause(process);
    world.after(dice.between(50, 20_000), null, () => world.resume(process));
  }

  function cut(from: string, to: string): void {
    injected += 1;
    world.note(`the way from ${from} to ${to} is cut`);
    network.cut(from, to);
    if (dice.chance(0.5)) network.cut(to, from);
    world.after(dice.between(100, 10_000), null, () => network.healAll());
  }

  function step(process: Process): void {
    injected += 1;
    process.skewMs += dice.between(-3_600_000, 3_600_000);
    world.note(`the clock of ${process.name} is off by ${process.skewMs} ms`);
  }

  return {
    start: () => void world.after(tickMs, null, tick),
    heal() {
      isOn = false;
      world.note('everything heals');
      network.healAll();
      for (const process of processes()) {
        if (process.isPaused) world.resume(process);
        process.skewMs = 0;
      }
      for (const service of cluster.services) {
        if (!service.process.isAlive) cluster.startService(service);
      }
      const { term } = store.store;
      const holder = cluster.nodes.find(
        (node) => node.process.isAlive && node.engine?.stats().epoch === term.epoch,
      );
      // Deaths of the last moment bring their own restart; a holder that lives keeps its term.
      if (holder === undefined) cluster.startNode(dice.pick(cluster.nodes));
    },
    faultsInjected: () => injected,
  };
}
