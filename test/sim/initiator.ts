/**
 * The workload: transfers by two-phase transactions and sagas, with late branches, tries past the
 * coordinator, rivals that decide otherwise or begin something else under the same gid, and
 * initiators that vanish.
 */
import type {
  BranchSpec,
  Direction,
  StepSpec,
  TransactionAnswer,
} from '../../client-sdk/protocol/index.ts';
import { type AskingParts, createAsk } from './asking.ts';
import type { Reply } from './model.ts';
import type { Services } from './services.ts';
import type { Dice, Process } from './world.ts';

/** Starts transfers; `ended` hears how it looked to the initiator, if that lives. */
export interface Initiators {
  /** One transfer, of the mode that the dice say. */
  transfer(gid: string, ended: (seen: Seen) => void): void;
  /** A plain transfer that nothing stands in the way of. */
  plainTransfer(gid: string, ended: (seen: Seen) => void): void;
}

/** How a transfer looked to its initiator. */
export type Seen = 'committed' | 'rolledBack' | 'unknown' | 'refused';

/** One initiator and what it does. */
interface Story {
  readonly gid: string;
  readonly self: Process;
  readonly dice: Dice;
  readonly ended: (seen: Seen) => void;
}

const patience = (dice: Dice) => dice.between(500, 20_000);

/** Initiators; each transfer has its own process and its own dice, so that none disturbs another. */
export function createInitiators(parts: AskingParts & { readonly services: Services }): Initiators {
  const { world, swarm, services } = parts;
  const ask = createAsk(parts);

  const party = (dice: Dice, method: string, cents: number): BranchSpec => ({
    participant: { service: dice.pick(services.all).bank.name, method },
    payload: { account: `${dice.between(0, swarm.accountsPerBank - 1)}`, cents },
  });

  function twoPhase(story: Story, branches: readonly [BranchSpec, BranchSpec], isPlain: boolean) {
    const { gid, self, dice, ended } = story;
    const isLate = !isPlain && dice.chance(0.3);
    const timed = isPlain ? { timeoutMs: 30_000 } : {};
    const first = isLate ? [branches[0]] : branches;
    const request = { gid, name: 'transfer', branches: first, ...timed };
    if (!isPlain) haveRivals(story);
    ask(self, { verb: 'begin', request }, patience(dice), (reply) => {
      const seen = seenIn(reply);
      if (reply?.ok !== true || phaseOf(reply) !== 'active') return ended(seen);
      if (!isLate) return tries(story, branches, isPlain);
      // Sometimes nobody waits for the second branch, and the decision races it.
      if (dice.chance(0.2)) world.after(dice.between(0, 5), self, () => decide(story, 'rollback'));
      const register = { gid, request: 'r1', branches: [branches[1]] };
      ask(self, { verb: 'register', request: register }, patience(dice), (answer) => {
        if (answer?.ok !== true) return decide(story, 'rollback');
        tries(story, branches, isPlain);
      });
    });
  }

  function tries(story: Story, branches: readonly BranchSpec[], isPlain: boolean): void {
    const { gid, self, dice } = story;
    let left = branches.length;
    let isAllDone = true;
    const tried = (isDone: boolean) => {
      left -= 1;
      isAllDone &&= isDone;
      if (left > 0) return;
      decide(story, isAllDone && (isPlain || !dice.chance(0.1)) ? 'commit' : 'rollback');
    };
    for (const [index, branch] of branches.entries()) {
      const branchId = index + 1;
      if (!isPlain && dice.chance(swarm.directTryShare)) {
        tryDirectly(story, branchId, branch, tried);
      } else {
        const request = { gid, branchId };
        ask(self, { verb: 'try', request }, patience(dice), (reply) => tried(reply?.ok === true));
      }
    }
  }

  /** The initiator calls the participant itself, once; no coordinator knows whether it is on its way. */
  function tryDirectly(
    { gid, self }: Story,
    branchId: number,
    { participant, payload = null }: BranchSpec,
    tried: (isDone: boolean) => void,
  ): void {
    const method = 'method' in participant ? participant.method : '';
    const call = { gid, branchId, operation: 'try' as const, method, payload };
    const asker = { process: self, timeoutMs: swarm.callTimeoutMs };
    services.ask(asker, participant, call, (answer) => tried(answer.outcome === 'done'));
  }

  function decide({ gid, self, dice, ended }: Story, direction: Direction): void {
    const wait = dice.pick(['completed', 'decided'] as const);
    const request = { gid, direction, wait };
    ask(self, { verb: 'decide', request }, patience(dice), (reply) => ended(seenIn(reply)));
  }

  /** Others who know the gid: one that looks, one that rolls back, one that begins something else. */
  function haveRivals({ gid, dice }: Story): void {
    const rival = world.spawn('initiator');
    const soonMs = () => dice.between(0, dice.pick([20, 300, 3_000]));
    if (dice.chance(0.3)) {
      for (let looks = dice.between(1, 3); looks > 0; looks -= 1) {
        world.after(soonMs(), rival, () =>
          ask(rival, { verb: 'get', request: { gid } }, patience(dice), () => {}),
        );
      }
    }
    if (dice.chance(0.05)) {
      const request = { gid, direction: 'rollback' as const };
      world.after(soonMs(), rival, () =>
        ask(rival, { verb: 'decide', request }, patience(dice), () => {}),
      );
    }
    if (!dice.chance(0.05)) return;
    world.after(dice.between(0, 20), rival, () =>
      ask(rival, { verb: 'begin', request: { gid, name: 'other' } }, patience(dice), () => {}),
    );
  }

  function saga(story: Story): void {
    const { gid, self, dice, ended } = story;
    const cents = dice.between(1, 60);
    const [debit, audit, credit] = [
      party(dice, 'debit', cents),
      party(dice, 'audit', 0),
      party(dice, 'credit', cents),
    ];
    const input = {
      debit: debit.payload ?? null,
      audit: audit.payload ?? null,
      credit: credit.payload ?? null,
    };
    const attempts = dice.between(1, 4);
    const isParallel = dice.chance(0.4);
    const pivot = isParallel ? 3 : dice.between(0, 6);
    const step = (number: number, spec: BranchSpec, after: readonly string[]): StepSpec => {
      const name = ['debit', 'audit', 'credit'][number - 1] ?? '';
      return {
        name,
        participant: spec.participant,
        attempts,
        after: [...after],
        pivot: pivot === number,
      };
    };
    const steps = [
      step(1, debit, []),
      step(2, audit, isParallel ? [] : ['debit']),
      step(3, credit, ['debit', 'audit']),
    ];
    const wait = dice.pick(['completed', 'submitted'] as const);
    const timed = dice.chance(0.5) ? { timeoutMs: swarm.timeoutMs } : {};
    haveRivals(story);
    const request = { gid, name: 'transfer', input, steps, wait, ...timed };
    ask(self, { verb: 'submit', request }, patience(dice), (reply) => {
      const seen = seenIn(reply);
      if (seen !== 'unknown' || !dice.chance(0.2)) return ended(seen);
      decide(story, 'rollback');
    });
  }

  const story = (gid: string, ended: (seen: Seen) => void): Story => ({
    gid,
    self: world.spawn('initiator'),
    dice: world.dice(`workload/${gid}`),
    ended,
  });

  return {
    transfer(gid, ended) {
      const own = story(gid, ended);
      const { dice } = own;
      if (dice.chance(swarm.sagaShare)) return saga(own);
      const cents = dice.between(1, 60);
      twoPhase(own, [party(dice, 'debit', cents), party(dice, 'credit', cents)], false);
    },
    plainTransfer(gid, ended) {
      const own = story(gid, ended);
      twoPhase(own, [party(own.dice, 'credit', 0), party(own.dice, 'audit', 0)], true);
    },
  };
}

function phaseOf(reply: Reply): TransactionAnswer['phase'] | null {
  return reply.ok && 'phase' in reply.body ? reply.body.phase : null;
}

function seenIn(reply: Reply | null): Seen {
  if (reply === null) return 'unknown';
  if (!reply.ok) return reply.code === 'ALREADY_ROLLED_BACK' ? 'rolledBack' : 'refused';
  const phase = phaseOf(reply);
  if (phase === 'committed' || phase === 'committing') return 'committed';
  return phase === null || phase === 'active' ? 'unknown' : 'rolledBack';
}
