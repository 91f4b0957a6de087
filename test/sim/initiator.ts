/**
 * Initiators of the virtual world: they ask coordinators over the faulty network, ask again when no
 * answer comes, change to another node, and sometimes vanish. What they are told goes to the oracles.
 */
import type { StepSpec, TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import type { Answer, Answered, Coordinator } from '../../server/engine/coordinator.ts';
import type { Cluster, Node } from './cluster.ts';
import type { CrashPoints } from './crash.ts';
import type { Network } from './network.ts';
import type { Oracles } from './oracles.ts';
import type { FaultRates, Swarm } from './swarm.ts';
import type { Process, World } from './world.ts';

/** What initiators need. */
export interface InitiatorParts {
  readonly world: World;
  readonly swarm: Swarm;
  readonly faults: () => FaultRates;
  readonly cluster: Cluster;
  readonly network: Network;
  readonly crash: CrashPoints;
  readonly oracles: Oracles;
}

/** Starts transfers. */
export interface Initiators {
  /** One transfer, of the mode that the dice say; `ended` hears how it looked to the initiator. */
  transfer(gid: string, ended: (seen: Seen) => void): void;
  /** A plain transfer that nothing stands in the way of. */
  plainTransfer(gid: string, ended: (seen: Seen) => void): void;
}

/** How a transfer looked to its initiator. */
export type Seen = 'committed' | 'rolledBack' | 'unknown' | 'abandoned' | 'refused';

type Ask<T> = (coordinator: Coordinator, answered: Answered<T>) => void;

const retryable = ['OVERLOADED', 'LOG_UNAVAILABLE', 'STOPPING', 'FENCED', 'METHOD_NOT_OFFERED'];

/** Initiators that act by the stream `workload`. */
export function createInitiators(parts: InitiatorParts): Initiators {
  const { world, swarm, faults, cluster, network, crash, oracles } = parts;
  const dice = world.dice('workload');
  const self: Process = world.spawn('initiator');

  /** Asks until there is an answer that is not "come again", or patience is over (null). */
  function ask<T>(
    verb: string,
    question: Ask<T>,
    patienceMs: number,
    then: (answer: Answer<T> | null) => void,
  ): void {
    const untilMs = world.nowMs() + patienceMs;
    let isOver = false;
    let current = 0;
    const finish = (answer: Answer<T> | null) => {
      if (isOver) return;
      isOver = true;
      then(answer);
    };
    // Only the latest attempt goes on; answers to earlier ones still count.
    const attempt = () => {
      if (isOver) return;
      if (world.nowMs() >= untilMs) return finish(null);
      current += 1;
      const own = current;
      const again = () => {
        if (current === own) attempt();
      };
      const node = dice.pick(knownNodes());
      const { process } = node;
      network.send('initiator', process, () => {
        if (crash.at(process, 'request', [verb], 'before')) return;
        if (node.engine === null) return;
        question(node.engine, (answer) => {
          if (!process.isAlive) return;
          if (crash.at(process, 'request', [verb], 'lostReply')) return;
          network.send(node.name, self, () => hear(answer, again));
          crash.at(process, 'request', [verb], 'after');
        });
      });
      world.after(dice.between(50, 3_000), self, again);
    };
    const hear = (answer: Answer<T>, again: () => void) => {
      if (isOver) return;
      if (answer.ok || !retryable.includes(answer.code)) return finish(answer);
      world.after(dice.between(10, 500), self, again);
    };
    attempt();
  }

  /** Initiators know no leader; but once all is calm they have learned who answers. */
  function knownNodes(): readonly Node[] {
    const running = cluster.nodes.filter(
      (node) => node.process.isAlive && node.engine?.stats().state === 'running',
    );
    return faults().messageLoss === 0 && running.length === 1 ? running : cluster.nodes;
  }

  const patience = () => dice.between(500, 20_000);

  function believe(gid: string, answer: Answer<TransactionAnswer> | null): Seen {
    if (answer === null) return 'unknown';
    if (answer.ok) {
      oracles.told(gid, answer.body);
      const { phase } = answer.body;
      if (phase === 'committed' || phase === 'committing') return 'committed';
      return phase === 'active' ? 'unknown' : 'rolledBack';
    }
    if (answer.code === 'ALREADY_COMMITTED') oracles.toldDecided(gid, 'commit');
    if (answer.code === 'ALREADY_ROLLED_BACK') oracles.toldDecided(gid, 'rollback');
    if (answer.code === 'INTERNAL') oracles.fail('INTERNAL', gid, answer.detail);
    return answer.code === 'ALREADY_ROLLED_BACK' ? 'rolledBack' : 'refused';
  }

  function twoPhase(gid: string, isPlain: boolean, ended: (seen: Seen) => void): void {
    const cents = isPlain ? 0 : dice.between(1, 60);
    const side = (method: string) => ({
      participant: { service: dice.pick(cluster.services).bank.name, method },
      payload: { account: `${dice.between(0, swarm.accountsPerBank - 1)}`, cents },
    });
    const [debit, credit] = [
      side(isPlain ? 'credit' : 'debit'),
      side(isPlain ? 'audit' : 'credit'),
    ];
    const isLate = !isPlain && dice.chance(0.3);
    const vanishes = () => !isPlain && dice.chance(faults().abandon);
    const timed = isPlain ? { timeoutMs: 30_000 } : {};
    const body = { gid, branches: isLate ? [debit] : [debit, credit], ...timed };
    const decide = (direction: 'commit' | 'rollback') => {
      if (vanishes()) return ended('abandoned');
      const wait = dice.chance(0.5) ? ('completed' as const) : ('decided' as const);
      ask<TransactionAnswer>(
        'decide',
        (c, a) => c.decide({ gid, direction, wait }, a),
        patience(),
        (answer) => ended(believe(gid, answer)),
      );
    };
    const tries = (branchIds: readonly number[]) => {
      let left = branchIds.length;
      let allDone = true;
      for (const branchId of branchIds) {
        ask(
          'try',
          (c, a) => c.tryBranch({ gid, branchId }, a),
          patience(),
          (answer) => {
            left -= 1;
            if (answer?.ok !== true) allDone = false;
            if (left === 0)
              decide(allDone && (isPlain || !dice.chance(0.1)) ? 'commit' : 'rollback');
          },
        );
      }
    };
    ask<TransactionAnswer>(
      'begin',
      (c, a) => c.begin(body, a),
      patience(),
      (answer) => {
        const seen = believe(gid, answer);
        if (answer?.ok !== true || answer.body.phase !== 'active') return ended(seen);
        if (vanishes()) return ended('abandoned');
        if (!isLate) return tries([1, 2]);
        const register = { gid, request: 'r1', branches: [credit] };
        ask<TransactionAnswer>(
          'register',
          (c, a) => c.register(register, a),
          patience(),
          (reply) => {
            if (reply?.ok !== true) return decide('rollback');
            oracles.told(gid, reply.body);
            tries([1, ...(reply.body.branchIds ?? [])]);
          },
        );
      },
    );
  }

  function saga(gid: string, ended: (seen: Seen) => void): void {
    const account = () => `${dice.between(0, swarm.accountsPerBank - 1)}`;
    const cents = dice.between(1, 60);
    const at = (method: string) => ({ service: dice.pick(cluster.services).bank.name, method });
    const attempts = dice.between(1, 4);
    const isParallel = dice.chance(0.4);
    const pivot = isParallel ? 3 : dice.between(0, 6);
    const steps: readonly StepSpec[] = [
      { name: 'debit', participant: at('debit'), attempts, pivot: pivot === 1 },
      {
        name: 'audit',
        participant: at('audit'),
        attempts,
        after: isParallel ? [] : ['debit'],
        pivot: pivot === 2,
      },
      {
        name: 'credit',
        participant: at('credit'),
        attempts,
        after: ['debit', 'audit'],
        pivot: pivot === 3,
      },
    ];
    const input = {
      debit: { account: account(), cents },
      audit: { account: account(), cents: 0 },
      credit: { account: account(), cents },
    };
    const wait = dice.chance(0.5) ? ('completed' as const) : ('submitted' as const);
    const timed = dice.chance(0.5) ? { timeoutMs: swarm.timeoutMs } : {};
    const body = { gid, name: 'transfer', input, steps, wait, ...timed };
    ask<TransactionAnswer>(
      'submit',
      (c, a) => c.submit(body, a),
      patience(),
      (answer) => {
        const seen = believe(gid, answer);
        if (seen !== 'unknown' || !dice.chance(0.2)) return ended(seen);
        const rollback = { gid, direction: 'rollback' as const };
        ask<TransactionAnswer>(
          'decide',
          (c, a) => c.decide(rollback, a),
          patience(),
          (reply) => ended(believe(gid, reply)),
        );
      },
    );
  }

  return {
    transfer(gid, ended) {
      if (dice.chance(swarm.sagaShare)) saga(gid, ended);
      else twoPhase(gid, false, ended);
    },
    plainTransfer: (gid, ended) => twoPhase(gid, true, ended),
  };
}
