/**
 * The processes of one side: started with the settings that the options ask for, told to run, ended
 * together. Whether they are the product's or the floor's, it does not know. Invariant: what has
 * been started is ended by `close`, however far the start came.
 */
import type { BenchOptions } from './flags.ts';
import type { RoundReport, WorkerRole, WorkerSettings } from './messages.ts';
import { type Running, startWorker, type Worker } from './processes.ts';

/** The processes of one side. */
export interface Crew {
  /** Makes this the coordinator, in place of one that is gone. */
  lead(coordinator: Running): void;
  add(worker: Promise<Worker>, isInitiator: boolean): Promise<Worker>;
  readonly coordinatorPid: number;
  readonly workerPids: readonly number[];
  /** One round of all initiators at once. */
  run(seconds: number): Promise<readonly RoundReport[]>;
  /** The same of plain local transactions, in mode `at`. */
  runPlain(seconds: number): Promise<readonly RoundReport[]>;
  /** Ends these workers, or all. */
  endWorkers(): Promise<void>;
  /** Ends the workers, then the coordinator. Safe to repeat. */
  close(): Promise<void>;
}

/** No processes yet. */
export function createCrew(): Crew {
  let coordinator: Running | null = null;
  let workers: Worker[] = [];
  let initiators: Worker[] = [];
  function runAll(seconds: number, wish: { readonly isPlain: boolean }) {
    const reports = Promise.all(initiators.map((worker) => worker.run(seconds, wish)));
    // Workers would ask a coordinator that has died until their time is over.
    return coordinator === null ? reports : Promise.race([reports, coordinator.broken]);
  }
  async function endWorkers(): Promise<void> {
    const ending = workers;
    workers = [];
    initiators = [];
    await Promise.all(ending.map((worker) => worker.stop()));
  }
  return {
    lead(running) {
      coordinator = running;
    },
    async add(starting, isInitiator) {
      const worker = await starting;
      workers.push(worker);
      if (isInitiator) initiators.push(worker);
      return worker;
    },
    get coordinatorPid() {
      return coordinator?.pid ?? 0;
    },
    get workerPids() {
      return workers.map((worker) => worker.pid);
    },
    run: (seconds) => runAll(seconds, { isPlain: false }),
    runPlain: (seconds) => runAll(seconds, { isPlain: true }),
    endWorkers,
    async close() {
      await endWorkers();
      await coordinator?.end((child) => void child.kill('SIGTERM'));
    },
  };
}

/** What the workers of a side are given. */
export interface Team {
  readonly options: BenchOptions;
  readonly url: string;
  /** What its workers run. */
  readonly file: string;
  readonly bankUrl: string | null;
  readonly resourceUrls?: readonly string[] | null;
  readonly participantUrls?: readonly string[] | null;
  /** Of the first worker that begins transactions. */
  readonly nodeFlags?: readonly string[];
}

/** Starts the workers of the layout. Participants first: whoever begins must find them there. */
export async function addTeam(crew: Crew, team: Team): Promise<void> {
  const { layout, transport } = team.options;
  const { nodeFlags, ...plain } = team;
  if (layout === 'split' && transport === 'channel') await addWorkers(crew, plain, 'participant');
  await addWorkers(crew, team, layout === 'split' ? 'initiator' : 'both');
}

/** Starts as many workers of one role as the options say. */
export async function addWorkers(
  crew: Crew,
  team: Team,
  role: WorkerRole,
): Promise<readonly Worker[]> {
  const { file, options, nodeFlags = [] } = team;
  const numbers = Array.from({ length: options.processes }, (_, index) => index);
  const added: Worker[] = [];
  for (const number of numbers) {
    const command = { name: `${role} ${number + 1}`, file, ...(number === 0 && { nodeFlags }) };
    const starting = startWorker(command, settingsOf(team, role, number));
    added.push(await crew.add(starting, role !== 'participant'));
  }
  return added;
}

/** The settings of the worker of this number, which has its share of the load. */
export function settingsOf(team: Team, role: WorkerRole, number: number): WorkerSettings {
  const { options, url, bankUrl, resourceUrls = null, participantUrls = null } = team;
  const { mode, branches, rollbackPercent, wait, requestTimeoutMs, processes, atRows } = options;
  const isBank = role !== 'initiator';
  return {
    ...{ url, role, mode, branches, rollbackPercent, wait, requestTimeoutMs, participantUrls },
    ...{ resourceUrls, atRows },
    inflight: Math.floor((options.inflight + number) / processes),
    ratePerSecond: options.ratePerSecond === null ? null : options.ratePerSecond / processes,
    databaseUrl: isBank ? bankUrl : null,
  };
}
