/**
 * Puts requests to coordinators and watches what comes back: each is answered exactly once, the answer
 * is one that the model allows at the moment in which it leaves, and limits on new work hold (S11).
 */
import type { Coordinator } from '../../server/engine/coordinator.ts';
import type { Cluster, Node } from './cluster.ts';
import { type Asked, judge, type Reply } from './model.ts';
import type { Oracles } from './oracles.ts';
import type { Swarm } from './swarm.ts';
import type { Process, World } from './world.ts';

/** The desk of all coordinators. */
export interface Desk {
  /** Asks the engine that runs on the node; nothing happens when none does. */
  ask(node: Node, asked: Asked, answered: (reply: Reply) => void): void;
  /** Requests that have waited longer for an answer from a process that lives. */
  unanswered(longerThanMs: number): readonly string[];
}

/** What the desk looks at. */
export interface DeskParts {
  readonly world: World;
  readonly swarm: Swarm;
  readonly oracles: Oracles;
  readonly cluster: Cluster;
}

interface Waiting {
  readonly process: Process;
  readonly sinceMs: number;
  readonly text: string;
}

/** Nobody has asked yet. */
export function createDesk(parts: DeskParts): Desk {
  const { world, swarm, oracles, cluster } = parts;
  const waiting = new Set<Waiting>();

  function ask(node: Node, asked: Asked, answered: (reply: Reply) => void): void {
    const { engine, process } = node;
    if (engine === null) return;
    const { verb } = asked;
    const { gid } = asked.request;
    const isQuiet = verb === 'get';
    const entry = { process, sinceMs: world.nowMs(), text: `${gid} ${verb} at ${node.name}` };
    const before = oracles.truth.get(gid) ?? null;
    waiting.add(entry);
    if (!isQuiet) world.note(`${gid} asks ${node.name}: ${describe(asked)}`);
    const load = engine.stats();
    let isRefused = false;
    put(engine, asked, (reply: Reply) => {
      if (!process.isAlive) return;
      if (!waiting.delete(entry)) oracles.fail('answers', gid, `${verb} is answered twice`);
      isRefused = !reply.ok && (reply.code === 'OVERLOADED' || reply.code === 'LOG_UNAVAILABLE');
      if (!isQuiet) {
        world.note(`${gid} ${node.name} answers ${verb}: ${sayReply(reply)}`);
      }
      const now = oracles.truth.get(gid) ?? null;
      const hasExecuted = (branchId: number, operation: string) =>
        oracles.hasExecuted(gid, branchId, operation);
      const isHolder = cluster.holders().includes(node);
      const wrong = judge(asked, reply, { asked: before, now, isHolder, hasExecuted });
      if (wrong !== null) oracles.fail('S4', gid, wrong);
      answered(reply);
    });
    checkIntake(engine, asked, load, isRefused);
  }

  /** New work comes in only below the limits, and what is refused leaves nothing behind. */
  function checkIntake(
    engine: Coordinator,
    { verb, request }: Asked,
    before: ReturnType<Coordinator['stats']>,
    isRefused: boolean,
  ): void {
    if (verb !== 'begin' && verb !== 'submit') return;
    const after = engine.stats();
    const isIn = after.open > before.open || after.pendingRows > before.pendingRows;
    const isFull =
      before.open >= swarm.openTransactionsMax || before.pendingRows >= swarm.pendingRowsMax;
    if (isIn && (isFull || isRefused)) {
      const limits = `${before.open} open, ${before.pendingRows} rows pending`;
      oracles.fail('S11', request.gid, `${verb} came in with ${limits}`);
    }
  }

  return {
    ask,
    unanswered(longerThanMs) {
      const sinceMs = world.nowMs() - longerThanMs;
      return [...waiting]
        .filter((entry) => entry.process.isAlive && entry.sinceMs < sinceMs)
        .map((entry) => entry.text);
    },
  };
}

function put(engine: Coordinator, asked: Asked, answered: (reply: Reply) => void): void {
  switch (asked.verb) {
    case 'begin':
      return engine.begin(asked.request, answered);
    case 'register':
      return engine.register(asked.request, answered);
    case 'try':
      return engine.tryBranch(asked.request, answered);
    case 'decide':
      return engine.decide(asked.request, answered);
    case 'submit':
      return engine.submit(asked.request, answered);
    case 'get':
      return engine.get(asked.request, answered);
    default:
      return asked satisfies never;
  }
}

/** The request in a few words. */
export function describe({ verb, request }: Asked): string {
  if (verb === 'decide') return request.direction;
  return verb === 'try' ? `try ${request.branchId}` : verb;
}

/** The reply in a few words. */
export function sayReply(reply: Reply): string {
  if (!reply.ok) return reply.code;
  return 'phase' in reply.body ? reply.body.phase : 'done';
}
