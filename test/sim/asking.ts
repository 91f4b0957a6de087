/**
 * How initiators ask: over the faulty network, again when no answer comes, from another node each
 * time. An initiator may die before it asks, after it has asked, or after it has heard.
 */
import type { Cluster, Node } from './cluster.ts';
import type { CrashPoints, CrashSite } from './crash.ts';
import { type Desk, describe, sayReply } from './desk.ts';
import type { Faults } from './faults.ts';
import { type Asked, comeAgain, type Reply } from './model.ts';
import type { Network } from './network.ts';
import type { Swarm } from './swarm.ts';
import type { Dice, Process, World } from './world.ts';

/** What asking needs. */
export interface AskingParts {
  readonly world: World;
  readonly swarm: Swarm;
  readonly faults: Faults;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly crash: CrashPoints;
  readonly desk: Desk;
}

/**
 * Asks until there is an answer that is not "come again"; then `heard` is called once. Never, when
 * patience is over (then with null) or the initiator dies first.
 */
export type Ask = (
  initiator: Process,
  asked: Asked,
  patienceMs: number,
  heard: (reply: Reply | null) => void,
) => void;

/** Asking in that world. */
export function createAsk(parts: AskingParts): Ask {
  const { world, swarm, faults, cluster, network, crash, desk } = parts;

  /** Some know who leads, some ask anybody; once all is calm, all have learned who answers. */
  function choose(dice: Dice, isLook: boolean): Node {
    const isStray = dice.chance(isLook ? 1 : swarm.strayShare) && faults.isChaos();
    const holders = isStray ? [] : cluster.holders();
    return dice.pick(holders.length === 1 ? holders : cluster.nodes);
  }

  return (initiator, asked, patienceMs, heard) => {
    const { gid } = asked.request;
    const dice = world.dice(`asking/${gid}`);
    const kinds = [asked.verb];
    const own: CrashSite = { boundary: 'initiator', kinds, gid };
    const theirs: CrashSite = { boundary: 'request', kinds, gid };
    const untilMs = world.nowMs() + patienceMs;
    let isOver = false;
    let current = 0;
    const finish = (reply: Reply | null) => {
      if (isOver) return;
      isOver = true;
      world.note(`${gid} hears of ${asked.verb}: ${reply === null ? 'nothing' : sayReply(reply)}`);
      heard(reply);
      crash.at(initiator, own, 'after');
    };
    // Only the latest attempt goes on; answers to earlier ones still count.
    const attempt = () => {
      if (isOver) return;
      if (world.nowMs() >= untilMs) return finish(null);
      if (crash.at(initiator, own, 'before')) return;
      current += 1;
      const mine = current;
      const again = () => {
        if (current === mine) attempt();
      };
      const node = choose(dice, asked.verb === 'get');
      const { process } = node;
      const what = describe(asked);
      network.send({ from: 'initiator', gid, what }, process, () => {
        if (crash.at(process, theirs, 'before')) return;
        desk.ask(node, asked, (reply) => {
          if (crash.at(process, theirs, 'lostReply')) return;
          const answer = `${asked.verb} is ${sayReply(reply)}`;
          network.send({ from: node.name, gid, what: answer }, initiator, () => hear(reply, again));
          crash.at(process, theirs, 'after');
        });
      });
      if (crash.at(initiator, own, 'lostReply')) return;
      world.after(dice.between(50, 3_000), initiator, again);
    };
    const hear = (reply: Reply, again: () => void) => {
      if (isOver) return;
      if (reply.ok || !comeAgain.includes(reply.code)) return finish(reply);
      world.after(dice.between(10, 500), initiator, again);
    };
    attempt();
  };
}
