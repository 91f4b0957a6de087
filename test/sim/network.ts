/** Messages between processes: lost, doubled, late, or cut off, one way or both. */
import type { Faults } from './faults.ts';
import type { Process, World } from './world.ts';

/** A message: who sends it, which gid it is about (or `world`), and what it says, for the story. */
export interface Message {
  readonly from: string;
  readonly gid: string;
  readonly what: string;
}

/** The network of the virtual world. */
export interface Network {
  /** Brings a message to a process, perhaps late, twice or never. */
  send(message: Message, to: Process, deliver: () => void): void;
  /** Cuts the way from one node to another (one way); the function given back mends this cut. */
  cut(from: string, to: string): () => void;
  healAll(): void;
}

/** Nodes are known by name; a process that has died receives nothing. */
export function createNetwork(world: World, faults: Faults): Network {
  const cuts = new Map<string, number>();

  return {
    send({ from, gid, what }, to, deliver) {
      if (cuts.size > 0 && cuts.has(`${from}>${to.name}`)) {
        return world.note(`${gid} [${from} to ${to.name}: ${what}] meets the cut`);
      }
      const about = `${from} to ${to.name}: ${what}`;
      if (faults.strikes('messageLoss', gid, about) !== null) return;
      const slow = faults.strikes('messageSlow', gid, about);
      const double = faults.strikes('messageDuplicate', gid, about);
      const travelMs = world.dice(`travel/${gid}`).between(0, 3);
      world.after(slow?.between(10, 20_000) ?? travelMs, to, deliver);
      if (double !== null) world.after(double.between(0, slow ? 20_000 : 500), to, deliver);
    },
    cut(from, to) {
      const way = `${from}>${to}`;
      cuts.set(way, (cuts.get(way) ?? 0) + 1);
      return () => {
        const left = (cuts.get(way) ?? 0) - 1;
        if (left > 0) cuts.set(way, left);
        else cuts.delete(way);
      };
    },
    healAll: () => cuts.clear(),
  };
}
