/**
 * The workload: transfers by two-phase transactions (branches of both kinds, mixed) and sagas, with
 * late branches, tries past the coordinator, rivals that decide otherwise or begin something else under
 * the same gid, and initiators that vanish.
 */
import type {
  BranchSpec,
  Direction,
  StepSpec,
  TransactionAnswer,
} from '../../client-sdk/protocol/index.ts';
import { type AskingParts, createAsk } from './asking.ts';
import type { BankCall, BankPayload } from './bank.ts';
import type { Reply } from './model.ts';
import type { Services } from './services.ts';
import { type LocalChange, resourceMethod } from './undo.ts';
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

/** A branch of a transfer. */
interface Part {
  readonly spec: BranchSpec;
  /** Of kind at: what the initiator's own local transaction changes. */
  readonly change: LocalChange | null;
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

  /** The same money by the other kind: no payload, for the coordinator has no hand in the change. */
  const localPart = (spec: BranchSpec, sign: 1 | -1): Part => {
    const { account, cents } = spec.payload as unknown as BankPayload;
    const service = 'service' in spec.participant ? spec.participant.service : '';
    return {
      spec: { kind: 'at', participant: { service, method: resourceMethod } },
      change: { account: `at-${account}`, cents: sign * cents },
    };
  };

  /** A debit and a credit. Kinds have dice of their own: without at branches nothing else moves. */
  function transferParts({ gid, dice }: Story): readonly [Part, Part] {
    const kinds = world.dice(`kinds/${gid}`);
    const cents = dice.between(1, 60);
    const part = (method: string, sign: 1 | -1): Part => {
      const spec = party(dice, method, cents);
      return kinds.chance(swarm.atShare) ? localPart(spec, sign) : { spec, change: null };
    };
    return [part('debit', -1), part('credit', 1)];
  }

  function twoPhase(story: Story, parts: readonly [Part, Part], isPlain: boolean) {
    const { gid, self, dice, ended } = story;
    const isLate = !isPlain && dice.chance(0.3);
    const timed = isPlain ? { timeoutMs: 30_000 } : {};
    const branches = parts.map((part) => part.spec);
    const first = isLate ? branches.slice(0, 1) : branches;
    const request = { gid, name: 'transfer', branches: first, labels: labelsOf(parts), ...timed };
    if (!isPlain) haveRivals(story);
    ask(self, { verb: 'begin', request }, patience(dice), (reply) => {
      const seen = seenIn(reply);
      if (reply?.ok !== true || phaseOf(reply) !== 'active') return ended(seen);
      if (!isLate) return tries(story, parts, isPlain);
      // Sometimes nobody waits for the second branch, and the decision races it.
      if (dice.chance(0.2)) world.after(dice.between(0, 5), self, () => decide(story, 'rollback'));
      const register = { gid, request: 'r1', branches: branches.slice(1) };
      ask(self, { verb: 'register', request: register }, patience(dice), (answer) => {
        if (answer?.ok !== true) return decide(story, 'rollback');
        tries(story, parts, isPlain);
      });
    });
  }

  function tries(story: Story, parts: readonly Part[], isPlain: boolean): void {
    const { gid, self, dice } = story;
    let left = parts.length;
    let isAllDone = true;
    const tried = (isDone: boolean) => {
      left -= 1;
      isAllDone &&= isDone;
      if (left > 0) return;
      decide(story, isAllDone && (isPlain || !dice.chance(0.1)) ? 'commit' : 'rollback');
    };
    for (const [index, { spec, change }] of parts.entries()) {
      const branchId = index + 1;
      const branch = { branchId, participant: spec.participant };
      const askTry = (heard: (isDone: boolean) => void) => {
        const request = { gid, branchId };
        ask(self, { verb: 'try', request }, patience(dice), (reply) => heard(reply?.ok === true));
      };
      if (change !== null) {
        // Somebody who takes it for a tcc branch is refused, and nothing comes of it.
        if (world.dice(`kinds/${gid}`).chance(0.1)) askTry(() => {});
        pastTheCoordinator(story, branch, { operation: 'prepare', payload: { ...change } }, tried);
      } else if (!isPlain && dice.chance(swarm.directTryShare)) {
        const { payload = null } = spec;
        pastTheCoordinator(story, branch, { operation: 'try', payload }, tried);
      } else askTry(tried);
    }
  }

  /**
   * The initiator goes to the bank itself, once, for a try or with a local transaction of its own; no
   * coordinator knows whether that is on its way.
   */
  function pastTheCoordinator(
    { gid, self }: Story,
    branch: Pick<BankCall, 'branchId'> & Pick<BranchSpec, 'participant'>,
    { operation, payload }: Pick<BankCall, 'operation' | 'payload'>,
    ended: (isDone: boolean) => void,
  ): void {
    const { branchId, participant } = branch;
    const method = 'method' in participant ? participant.method : '';
    const call = { gid, branchId, operation, method, payload };
    const asker = { process: self, timeoutMs: swarm.callTimeoutMs };
    services.ask(asker, participant, call, (answer) => ended(answer.outcome === 'done'));
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
      twoPhase(own, transferParts(own), false);
    },
    plainTransfer(gid, ended) {
      const own = story(gid, ended);
      const part = (method: string): Part => ({ spec: party(own.dice, method, 0), change: null });
      twoPhase(own, [part('credit'), part('audit')], true);
    },
  };
}

/** How much is on the way, for the bookkeeper: see money.ts. */
function labelsOf([{ spec, change }]: readonly [Part, Part]): Readonly<Record<string, string>> {
  const { cents } = change ?? (spec.payload as unknown as BankPayload);
  return { cents: String(Math.abs(cents)) };
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
