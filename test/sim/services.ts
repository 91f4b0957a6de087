/** The processes that serve banks: they are asked over the network, answer late, wrongly or not at all. */
import type { CallAnswer, Participant } from '../../client-sdk/protocol/index.ts';
import { type Bank, type BankCall, type BankRules, performCall } from './bank.ts';
import type { CrashPoints, CrashSite } from './crash.ts';
import type { Faults } from './faults.ts';
import type { Network } from './network.ts';
import type { Oracles } from './oracles.ts';
import type { Process, World } from './world.ts';

/** A bank and the process that serves it now. */
export interface Service {
  readonly bank: Bank;
  process: Process;
  /** It stays away though everything else heals. */
  isKeptAway: boolean;
}

/** Who asks. */
export interface Asker {
  readonly process: Process;
  readonly timeoutMs: number;
}

/** All services. */
export interface Services {
  readonly all: readonly Service[];
  /** One call; `answered` is called at most once: when the asker dies nobody hears. */
  ask(
    asker: Asker,
    participant: Participant,
    call: BankCall,
    answered: (answer: CallAnswer) => void,
  ): void;
}

/** What services are made of. */
export interface ServiceParts {
  readonly world: World;
  readonly faults: Faults;
  readonly network: Network;
  readonly crash: CrashPoints;
  readonly oracles: Oracles;
  readonly rules: BankRules;
  readonly banks: readonly Bank[];
}

/** Services of these banks; all run. */
export function createServices(parts: ServiceParts): Services {
  const { world, faults, network, crash, oracles, rules, banks } = parts;
  const all = banks.map(
    (bank): Service => ({ bank, process: world.spawn(bank.name), isKeptAway: false }),
  );

  function ask(
    { process, timeoutMs }: Asker,
    participant: Participant,
    call: BankCall,
    answered: (answer: CallAnswer) => void,
  ): void {
    let isAnswered = false;
    const once = (answer: CallAnswer) => {
      if (isAnswered) return;
      isAnswered = true;
      answered(answer);
    };
    world.after(timeoutMs, process, () => once({ outcome: 'unknown', error: 'time-out' }));
    const name = 'service' in participant ? participant.service : '';
    const service = all.find((candidate) => candidate.bank.name === name);
    if (service === undefined) return;
    const { gid, operation, branchId } = call;
    // Half of the askers know that nobody is connected.
    if (!service.process.isAlive && world.dice(`gone/${gid}`).chance(0.5)) {
      world.after(0, process, () => once({ outcome: 'unknown', error: 'gone', asked: false }));
      return;
    }
    const target = service.process;
    const what = `${operation} ${branchId}`;
    world.note(`${gid} ${process.name} asks ${name}: ${what}`);
    network.send({ from: process.name, gid, what }, target, () => {
      serve(service, target, call, (answer) => {
        const reply = `${what} is ${answer.outcome}`;
        network.send({ from: name, gid, what: reply }, process, () => once(answer));
      });
    });
  }

  function serve(
    service: Service,
    process: Process,
    call: BankCall,
    reply: (answer: CallAnswer) => void,
  ): void {
    const { gid, operation, branchId } = call;
    const about = `${service.bank.name}: ${operation} ${branchId}`;
    const strikes = (kind: Parameters<Faults['strikes']>[0]) => faults.strikes(kind, gid, about);
    const isForward = ['try', 'run', 'prepare'].includes(operation);
    if (!isForward && strikes('participantRefusesLate') !== null) {
      return reply({ outcome: 'refused', error: 'out of order' });
    }
    const slowMs = strikes('participantSlow')?.between(10, 5_000) ?? 0;
    const ongoing = strikes('participantOngoing');
    if (ongoing !== null) {
      reply({ outcome: 'ongoing', ...(ongoing.chance(0.5) && { retryAfterMs: 50 }) });
      // Somebody is at it, or was.
      if (ongoing.chance(0.5)) return;
    }
    const failure = strikes('participantFails');
    if (failure !== null) reply({ outcome: 'unknown', error: 'status 500' });
    if (failure?.chance(0.5)) return;
    const isHeard = ongoing === null && failure === null;
    world.after(slowMs, process, () => perform(service, process, call, isHeard ? reply : null));
  }

  function perform(
    service: Service,
    process: Process,
    call: BankCall,
    reply: ((answer: CallAnswer) => void) | null,
  ): void {
    const { gid, operation } = call;
    const site: CrashSite = { boundary: 'operation', kinds: [operation], gid };
    if (crash.at(process, site, 'before')) return;
    const { name } = service.bank;
    const answer = performCall(service.bank, call, rules, {
      executed: (execution) => {
        const { branchId, isEmpty } = execution;
        world.note(`${gid} ${operation} ${branchId} at ${name}${isEmpty ? ' (empty)' : ''}`);
        oracles.executed(name, execution);
      },
      isUnwilling: () => faults.strikes('participantRefuses', gid, name) !== null,
    });
    if (answer.outcome === 'refused') world.note(`${gid} ${operation} refused: ${answer.error}`);
    if (crash.at(process, site, 'lostReply')) return;
    reply?.(answer);
    crash.at(process, site, 'after');
  }

  return { all, ask };
}
