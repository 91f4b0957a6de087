/** What befalls the world as a whole: kills, pauses, cuts, clocks that jump, and take-overs. */
import type { Cluster } from './cluster.ts';
import type { Faults } from './faults.ts';
import type { Network } from './network.ts';
import type { FaultRates, Swarm } from './swarm.ts';
import type { Dice, Process, World } from './world.ts';

/** The nemesis of one run. */
export interface Nemesis {
  start(): void;
  /** Ends all faults; makes sure that one coordinator and all services but `keptAway` run. */
  heal(keptAway: string | null): void;
}

/** What the nemesis plays with. */
export interface NemesisParts {
  readonly world: World;
  readonly swarm: Swarm;
  readonly faults: Faults;
  readonly network: Network;
  readonly cluster: Cluster;
}

const tickMs = 100;
/** A clock is never further off than this. */
export const skewMsMax = 2 * 3_600_000;

/** Acts every 100 ms by the rates of the seed. */
export function createNemesis(parts: NemesisParts): Nemesis {
  const { world, swarm, faults, network, cluster } = parts;
  const dice = world.dice('nemesis');
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
    const happens = (kind: keyof FaultRates) =>
      faults.strikes(kind, 'world', 'nemesis', (swarm.faults[kind] * tickMs) / 1_000);
    const killer = happens('killPerSecond');
    if (killer !== null) kill(killer.pick(processes()));
    const pauser = happens('pausePerSecond');
    if (pauser !== null) pause(pauser.pick(processes()), pauser);
    const cutter = happens('cutPerSecond');
    if (cutter !== null) cut(cutter);
    const stepper = happens('clockStepPerSecond');
    if (stepper !== null) step(stepper.pick(cluster.nodes).process, stepper);
    const taker = happens('takeOverPerSecond');
    if (taker !== null) takeOver(taker);
  }

  function kill(process: Process): void {
    if (!process.isAlive) return;
    world.note(`${process.name} is killed`);
    world.kill(process);
    cluster.died(process);
  }

  /** When a coordinator is silent another may take its place: then it comes back as a zombie. */
  function pause(process: Process, dice: Dice): void {
    if (!process.isAlive || process.isPaused) return;
    world.note(`${process.name} is paused`);
    world.pause(process);
    world.after(dice.between(50, 60_000), null, () => {
      if (process.isAlive && process.isPaused) world.note(`${process.name} goes on`);
      world.resume(process);
    });
    const others = cluster.nodes.filter((node) => node.process !== process);
    if (others.length < cluster.nodes.length && others.length > 0 && dice.chance(0.5)) {
      const other = dice.pick(others);
      world.after(dice.between(50, 2_000), null, () => {
        if (isOn) cluster.startNode(other);
      });
    }
  }

  /** One way, both ways, one against all, or a swizzle: cut one by one, mended in another order. */
  function cut(dice: Dice): void {
    const all = names();
    const [a, b] = [dice.pick(all), dice.pick(all)];
    const others = all.filter((name) => name !== a);
    const ways: (readonly [string, string])[] = [];
    const kind = dice.pick(['one way', 'both ways', 'isolated', 'deaf', 'swizzle'] as const);
    if (kind === 'one way' || kind === 'both ways') ways.push([a, b]);
    if (kind === 'both ways') ways.push([b, a]);
    if (kind === 'isolated') ways.push(...others.map((name) => [a, name] as const));
    if (kind === 'isolated' || kind === 'deaf') {
      ways.push(...others.map((name) => [name, a] as const));
    }
    if (kind === 'swizzle') ways.push(...others.map((name) => [name, dice.pick(all)] as const));
    world.note(`cut (${kind}): ${ways.map(([from, to]) => `${from} to ${to}`).join(', ')}`);
    const lastsMs = dice.between(100, 10_000);
    for (const [from, to] of ways) {
      const isSwizzle = kind === 'swizzle';
      world.after(isSwizzle ? dice.between(0, 1_000) : 0, null, () => {
        const mend = network.cut(from, to);
        world.after(isSwizzle ? dice.between(100, 10_000) : lastsMs, null, mend);
      });
    }
  }

  function step(process: Process, dice: Dice): void {
    const skewMs = process.skewMs + dice.between(-3_600_000, 3_600_000);
    process.skewMs = Math.max(-skewMsMax, Math.min(skewMsMax, skewMs));
    world.note(`the clock of ${process.name} is off by ${process.skewMs} ms`);
  }

  function takeOver(dice: Dice): void {
    const idle = cluster.nodes.filter((node) => node.engine?.stats().state !== 'running');
    cluster.startNode(dice.pick(idle.length > 0 ? idle : cluster.nodes));
  }

  return {
    start: () => void world.after(tickMs, null, tick),
    heal(keptAway) {
      isOn = false;
      world.note('everything heals');
      network.healAll();
      for (const process of processes()) {
        if (process.isPaused) world.resume(process);
        process.skewMs = 0;
      }
      for (const service of cluster.services) {
        if (service.bank.name === keptAway) {
          service.isKeptAway = true;
          world.kill(service.process);
          world.note(`${keptAway} stays away`);
        } else if (!service.process.isAlive) {
          cluster.startService(service);
        }
      }
      // Deaths of the last moment bring their own restart; a holder that lives keeps its term.
      if (cluster.holders().length === 0) cluster.startNode(dice.pick(cluster.nodes));
    },
  };
}
