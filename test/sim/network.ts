/** Messages between processes: lost, doubled, late, or cut off, one way or both. */
import type { FaultRates } from './swarm.ts';
import type { Process, World } from './world.ts';

/** The network of the virtual world. */
export interface Network {
  /** Brings a message to a process, perhaps late, twice or never. */
  send(from: string, to: Process, deliver: () => void): void;
  /** Cuts the way from one node to another (one way). */
  cut(from: string, to: string): void;
  isCut(from: string, to: string): boolean;
  healAll(): void;
  faultsInjected(): number;
}

/** Nodes are known by name; a process that has died receives nothing. */
export function createNetwork(world: World, faults: () => FaultRates): Network {
  const dice = world.dice('network');
  const cuts = new Set<string>();
  let injected = 0;

  return {
    send(from, to, deliver) {
      const rates = faults();
      if (cuts.has(`${from}>${to.name}`)) return;
      if (dice.chance(rates.messageLoss)) {
        injected += 1;
        return;
      }
      const isSlow = dice.chance(rates.messageSlow);
      const isDouble = dice.chance(rates.messageDuplicate);
      injected += (isSlow ? 1 : 0) + (isDouble ? 1 : 0);
      world.after(isSlow ? dice.between(10, 20_000) : dice.between(0, 3), to, deliver);
      if (isDouble) world.after(dice.between(0, isSlow ? 20_000 : 500), to, deliver);
    },
    cut(from, to) {
      cuts.add(`${from}>${to}`);
      injected += 1;
    },
    isCut: (from, to) => cuts.has(`${from}>${to}`),
    healAll: () => cuts.clear(),
    faultsInjected: () => injected,
  };
}
