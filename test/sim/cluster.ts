/** Coordinators of the virtual world: the real engine, its ports given by the world. */
import type { TransactionView } from '../../client-sdk/protocol/index.ts';
import type { Transport } from '../../server/dispatch/transport.ts';
import type { Answer } from '../../server/engine/coordinator.ts';
import { createEngine, type Engine } from '../../server/engine/engine.ts';
import { type EngineOptions, engineDefaults } from '../../server/engine/limits.ts';
import type { Faults } from './faults.ts';
import type { Network } from './network.ts';
import type { Oracles } from './oracles.ts';
import type { Service, Services } from './services.ts';
import type { SimStore } from './store.ts';
import type { Swarm } from './swarm.ts';
import type { Process, World } from './world.ts';

/** A node that runs one coordinator process after another. */
export interface Node {
  readonly name: string;
  readonly drift: number;
  process: Process;
  engine: Engine | null;
  /** Of its engine's term; 0 before there is one. */
  epoch: number;
}

/** What the cluster is made of. */
export interface ClusterParts {
  readonly world: World;
  readonly swarm: Swarm;
  readonly faults: Faults;
  readonly store: SimStore;
  readonly network: Network;
  readonly services: Services;
  readonly oracles: Oracles;
}

/** Coordinators, and what starts processes again. */
export interface Cluster {
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  /** Starts a coordinator on the node (ending the life of the one before); it takes over the log. */
  startNode(node: Node): void;
  startService(service: Service): void;
  /** A process has died: something starts it again later. */
  died(process: Process): void;
  /** Nodes whose term is the running one. */
  holders(): readonly Node[];
  /** Calls made since the last time it was asked. */
  takeCallCount(): number;
}

/** All nodes are there; none runs. */
export function createCluster(parts: ClusterParts): Cluster {
  const { world, swarm, faults, store, network, services, oracles } = parts;
  const restarts = world.dice('restart');
  let callCount = 0;

  const nodes = Array.from({ length: swarm.coordinators }, (_, i): Node => {
    const name = `node${i + 1}`;
    const amount = faults.strikes('clockDrift', 'world', name)?.between(-200, 200) ?? 0;
    const drift = 1 + amount / 1_000;
    return { name, drift, process: world.spawn(name, drift), engine: null, epoch: 0 };
  });

  function startService(service: Service): void {
    const { name } = service.bank;
    world.kill(service.process);
    service.process = world.spawn(name);
    world.note(`${name} starts`);
    for (const node of nodes) {
      network.send({ from: name, gid: 'world', what: 'is ready' }, node.process, () => {
        node.engine?.participantReady(name);
      });
    }
  }

  function startNode(node: Node): void {
    world.kill(node.process);
    const process = world.spawn(node.name, node.drift);
    node.process = process;
    node.engine = null;
    node.epoch = 0;
    world.note(`${node.name} starts`);
    const engine: Engine = createEngine({
      clock: world.clockOf(process),
      random: world.dice(`jitter:${node.name}`),
      log: store.open(process),
      transports: [createTransport(node, process, () => engine)],
      options: optionsOf(swarm),
      onFenced: () => world.note(`${node.name} is fenced`),
    });
    engine.start(node.name, `${node.name}:7400`).then(
      ({ epoch }) => {
        if (!process.isAlive) return;
        node.engine = engine;
        node.epoch = epoch;
      },
      () => {
        world.after(100, process, () => startNode(node));
      },
    );
  }

  function createTransport(node: Node, process: Process, engine: () => Engine): Transport {
    const isHolder = () => node.process === process && node.epoch === store.store.term.epoch;
    const failures = new Map<string, number>();
    return {
      reaches: (participant) => 'service' in participant,
      close: () => Promise.resolve(),
      call(participant, call, timeoutMs, answered) {
        if (!process.isAlive) return;
        callCount += 1;
        const { gid, branchId, operation } = call;
        if (operation === 'inspect' || operation === 'resolve') {
          throw new Error('nobody asks questions in here');
        }
        if (operation === 'locks' || operation === 'health') {
          throw new Error('nobody asks questions in here');
        }
        if (operation === 'ping' || operation === 'holders') {
          throw new Error('nobody asks questions in here');
        }
        if (operation !== 'try') {
          const { state, epoch } = engine().stats();
          oracles.asked(gid, operation, {
            epoch,
            isHolder: isHolder(),
            isFenced: state === 'fenced',
          });
        }
        services.ask({ process, timeoutMs }, participant, { ...call, operation }, (answer) => {
          answered(answer);
          if (operation === 'try' || answer.outcome === 'done' || !isHolder()) return;
          const key = `${gid}/${branchId}:${operation}`;
          const count = (failures.get(key) ?? 0) + 1;
          failures.set(key, count);
          if (count >= swarm.attentionAfterAttempts) checkAttention(engine(), gid, branchId);
        });
      },
    };
  }

  /** What was tried so often without success is under attention, in memory at once (promise 5). */
  function checkAttention(engine: Engine, gid: string, branchId: number): void {
    engine.get({ gid }, (answer: Answer<TransactionView>) => {
      if (!answer.ok) return;
      const { attention, finishedAtMs, branches } = answer.body;
      const attempts = branches.find((branch) => branch.branchId === branchId)?.attempts ?? 0;
      if (attempts < swarm.attentionAfterAttempts || finishedAtMs !== null) return;
      if (attention === null) {
        oracles.fail('attention', gid, `none after ${attempts} attempts of branch ${branchId}`);
      }
    });
  }

  return {
    nodes,
    services: services.all,
    startNode,
    startService,
    died(process) {
      const node = nodes.find((candidate) => candidate.process === process);
      if (node !== undefined) {
        world.after(restarts.between(10, 2_000), null, () => {
          if (node.process === process) startNode(node);
        });
      }
      const service = services.all.find((candidate) => candidate.process === process);
      if (service === undefined) return;
      const gone = faults.strikes('participantGone', 'world', service.bank.name);
      const awayMs = gone?.between(5_000, 300_000) ?? restarts.between(10, 2_000);
      world.after(awayMs, null, () => {
        if (service.process === process && !service.isKeptAway) startService(service);
      });
    },
    holders: () =>
      nodes.filter((node) => node.process.isAlive && node.epoch === store.store.term.epoch),
    takeCallCount() {
      const count = callCount;
      callCount = 0;
      return count;
    },
  };
}

function optionsOf(swarm: Swarm): EngineOptions {
  return {
    ...engineDefaults,
    transactionTimeoutMs: swarm.timeoutMs,
    callTimeoutMs: swarm.callTimeoutMs,
    retry: { initialMs: swarm.retryInitialMs, capMs: swarm.retryCapMs },
    ongoingPollMs: 200,
    attentionAfterAttempts: swarm.attentionAfterAttempts,
    attentionAfterMs: swarm.attentionAfterMs,
    openTransactionsMax: swarm.openTransactionsMax,
    pendingRowsMax: swarm.pendingRowsMax,
    recoveryPerSecond: swarm.recoveryPerSecond,
  };
}
