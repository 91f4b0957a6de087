/** The processes of the virtual world: coordinators with the real engine, and banks' services. */
import type { Call, CallAnswer, Participant } from '../../client-sdk/protocol/index.ts';
import type { Transport } from '../../server/dispatch/transport.ts';
import { createEngine, type Engine } from '../../server/engine/engine.ts';
import { engineDefaults } from '../../server/engine/limits.ts';
import { type Bank, type BankRules, performCall } from './bank.ts';
import type { CrashPoints } from './crash.ts';
import type { Network } from './network.ts';
import type { Oracles } from './oracles.ts';
import type { SimStore } from './store.ts';
import type { FaultRates, Swarm } from './swarm.ts';
import type { Process, World } from './world.ts';

/** A node that runs one coordinator process after another. */
export interface Node {
  readonly name: string;
  process: Process;
  engine: Engine | null;
}

/** A bank and the process that serves it now. */
export interface Service {
  readonly bank: Bank;
  process: Process;
}

/** What the cluster is made of. */
export interface ClusterParts {
  readonly world: World;
  readonly swarm: Swarm;
  readonly faults: () => FaultRates;
  readonly store: SimStore;
  readonly network: Network;
  readonly crash: CrashPoints;
  readonly oracles: Oracles;
  readonly rules: BankRules;
  readonly banks: readonly Bank[];
}

/** Coordinators and services. */
export interface Cluster {
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  /** Starts a coordinator on the node (ending the life of the one before); it takes over the log. */
  startNode(node: Node): void;
  startService(service: Service): void;
  /** A process has died: something starts it again later. */
  died(process: Process): void;
  /** Calls made since the last time it was asked. */
  takeCallCount(): number;
}

/** All processes run from the beginning. */
export function createCluster(parts: ClusterParts): Cluster {
  const { world, swarm, faults, store, network, crash, oracles, rules, banks } = parts;
  const dice = world.dice('cluster');
  let callCount = 0;

  const services = banks.map((bank): Service => ({ bank, process: world.spawn(bank.name) }));
  const nodes = Array.from({ length: swarm.coordinators }, (_, i): Node => {
    const name = `node${i + 1}`;
    return { name, process: world.spawn(name), engine: null };
  });

  function startService(service: Service): void {
    world.kill(service.process);
    service.process = world.spawn(service.bank.name);
    world.note(`${service.bank.name} starts`);
    for (const node of nodes) {
      network.send(service.bank.name, node.process, () => {
        node.engine?.participantReady(service.bank.name);
      });
    }
  }

  function startNode(node: Node): void {
    world.kill(node.process);
    const process = world.spawn(node.name);
    node.process = process;
    node.engine = null;
    world.note(`${node.name} starts`);
    const engine = createEngine({
      clock: world.clockOf(process),
      random: world.dice(`jitter:${node.name}`),
      log: store.open(process),
      transports: [transportOf(node, process)],
      options: {
        ...engineDefaults,
        transactionTimeoutMs: swarm.timeoutMs,
        callTimeoutMs: swarm.callTimeoutMs,
        retry: { initialMs: swarm.retryInitialMs, capMs: swarm.retryCapMs },
        ongoingPollMs: 200,
        openTransactionsMax: swarm.openTransactionsMax,
        pendingRowsMax: swarm.pendingRowsMax,
        recoveryPerSecond: swarm.recoveryPerSecond,
      },
      onFenced: () => world.note(`${node.name} is fenced`),
    });
    engine.start(node.name, `${node.name}:7400`).then(
      () => {
        if (process.isAlive) node.engine = engine;
      },
      () => {
        world.after(100, process, () => startNode(node));
      },
    );
  }

  function transportOf(node: Node, process: Process): Transport {
    return {
      reaches: (participant) => 'service' in participant,
      close: () => Promise.resolve(),
      call(participant, call, timeoutMs, answered) {
        if (!process.isAlive) return;
        callCount += 1;
        const isLive = node.engine?.stats().epoch === store.store.term.epoch;
        if (isLive && call.operation !== 'try') oracles.asked(call.gid, call.operation);
        askService({ from: node.name, process, timeoutMs }, participant, call, answered);
      },
    };
  }

  function askService(
    asker: { readonly from: string; readonly process: Process; readonly timeoutMs: number },
    participant: Participant,
    call: Call,
    answered: (answer: CallAnswer) => void,
  ): void {
    const { from, process, timeoutMs } = asker;
    let isAnswered = false;
    const once = (answer: CallAnswer) => {
      if (isAnswered) return;
      isAnswered = true;
      answered(answer);
    };
    world.after(timeoutMs, process, () => once({ outcome: 'unknown', error: 'time-out' }));
    const name = 'service' in participant ? participant.service : '';
    const service = services.find((candidate) => candidate.bank.name === name);
    if (service === undefined) return;
    if (!service.process.isAlive && dice.chance(0.5)) {
      world.after(0, process, () => once({ outcome: 'unknown', error: 'gone', asked: false }));
      return;
    }
    const { process: target } = service;
    network.send(from, target, () => {
      serve(service, target, call, (answer) => {
        network.send(service.bank.name, process, () => once(answer));
      });
    });
  }

  function serve(
    service: Service,
    process: Process,
    call: Call,
    reply: (answer: CallAnswer) => void,
  ): void {
    const rates = faults();
    const chance = world.dice(`participant:${service.bank.name}`);
    if (chance.chance(rates.participantOngoing)) return reply({ outcome: 'ongoing' });
    const slowMs = chance.chance(rates.participantSlow) ? chance.between(10, 5_000) : 0;
    world.after(slowMs, process, () => {
      if (crash.at(process, 'operation', [call.operation], 'before')) return;
      const isUnwilling = () => chance.chance(rates.participantRefuses);
      const answer = performCall(service.bank, call, rules, {
        executed: (execution) => {
          const { gid, branchId, operation, isEmpty } = execution;
          world.note(
            `${gid} ${operation} ${branchId} at ${service.bank.name}${isEmpty ? ' (empty)' : ''}`,
          );
          oracles.executed(service.bank.name, execution);
        },
        isUnwilling,
      });
      if (crash.at(process, 'operation', [call.operation], 'lostReply')) return;
      reply(answer);
      crash.at(process, 'operation', [call.operation], 'after');
    });
  }

  const restarts = world.dice('restart');
  return {
    nodes,
    services,
    startNode,
    startService,
    died(process) {
      const delayMs = restarts.between(10, 2_000);
      world.after(delayMs, null, () => {
        for (const node of nodes) if (node.process === process) startNode(node);
        for (const service of services) if (service.process === process) startService(service);
      });
    },
    takeCallCount() {
      const count = callCount;
      callCount = 0;
      return count;
    },
  };
}
