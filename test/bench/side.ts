/**
 * One of the two things that are compared: a coordinator with its workers, the product's or the
 * floor's, on a database of its own. Both are asked the same way; what they cost is read from
 * outside. Nothing is judged here.
 */
import { join } from 'node:path';
import { becameReady, freePort } from '../../server/demo/coordinator-api.ts';
import type { BenchOptions } from './flags.ts';
import type { RoundReport, WorkerRole, WorkerSettings } from './messages.ts';
import { firstLine, type Running, startNode, startWorker, type Worker } from './processes.ts';

/** A coordinator and its workers, ready to run rounds. */
export interface Side {
  readonly url: string;
  readonly coordinatorPid: number;
  readonly workerPids: readonly number[];
  /** One round of all initiators at once. */
  run(seconds: number): Promise<readonly RoundReport[]>;
  /** Ends the workers, then the coordinator. Safe to repeat. */
  close(): Promise<void>;
}

/** Where a side keeps its things. */
export interface SidePlaces {
  readonly logUrl: string;
  /** Null: participants keep nothing. */
  readonly bankUrl: string | null;
  /** Folder for CPU profiles; null: none are taken. */
  readonly profileFolder: string | null;
}

const root = join(import.meta.dirname, '..', '..');
const floorFolder = join(import.meta.dirname, 'floor');
const startMsMax = 60_000;

/** Why these options have no floor; null: they have one. */
export function whyNoFloor(options: BenchOptions): string | null {
  if (!options.hasFloor) return 'not asked for';
  if (options.transport === 'http') return 'the floor calls nobody over HTTP';
  if (options.hasBarrier) return 'the floor has no barrier';
  return options.rollbackPercent > 0 ? 'the floor only commits' : null;
}

/** Starts the product; nothing of it is left when it does not start. */
export async function openProduct(options: BenchOptions, places: SidePlaces): Promise<Side> {
  const crew = createCrew();
  try {
    const url = `http://127.0.0.1:${await freePort()}`;
    const file = join(import.meta.dirname, 'worker.ts');
    const team = { options, url, file, bankUrl: places.bankUrl };
    const participantUrls = await addHttpBanks(crew, team);
    const flags = participantUrls?.flatMap((origin) => ['--allow-callback', origin]) ?? [];
    const coordinator = startCoordinator(url, places, flags);
    crew.lead(coordinator);
    await Promise.race([ready(url), coordinator.broken]);
    const nodeFlags = profileFlags(places, 'worker');
    await addTeam(crew, { ...team, participantUrls, nodeFlags });
    return crew.side(url);
  } catch (error) {
    await crew.close();
    throw error;
  }
}

/** Starts the floor; nothing of it is left when it does not start. */
export async function openFloor(options: BenchOptions, places: SidePlaces): Promise<Side> {
  const crew = createCrew();
  try {
    const file = join(floorFolder, 'coordinator.ts');
    const args = [JSON.stringify({ log: places.logUrl })];
    const coordinator = startNode({ name: 'the floor’s coordinator', file, args }, 'pipe');
    crew.lead(coordinator);
    // Parse boundary: the floor's coordinator prints this line and nothing else.
    const { url } = JSON.parse(await firstLine(coordinator)) as { url: string };
    const worker = join(floorFolder, 'worker.ts');
    await addTeam(crew, { options, url, file: worker, bankUrl: places.bankUrl });
    return crew.side(url);
  } catch (error) {
    await crew.close();
    throw error;
  }
}

async function ready(url: string): Promise<void> {
  if (!(await becameReady(url, startMsMax))) throw new Error('the coordinator did not start');
}

function startCoordinator(url: string, places: SidePlaces, flags: readonly string[]): Running {
  const args = [
    ...['server', '--port', new URL(url).port, '--log', places.logUrl, '--migrate'],
    ...['--node', 'bench', '--log-level', 'warn', ...flags],
  ];
  const file = join(root, 'server', 'cli', 'main.ts');
  const nodeFlags = profileFlags(places, 'coordinator');
  return startNode({ name: 'the coordinator', file, args, nodeFlags }, 'shown');
}

function profileFlags({ profileFolder }: SidePlaces, name: string): readonly string[] {
  if (profileFolder === null) return [];
  return ['--cpu-prof', '--cpu-prof-dir', join(profileFolder, name)];
}

/** The processes of one side, ended together. */
interface Crew {
  lead(coordinator: Running): void;
  add(worker: Promise<Worker>, isInitiator: boolean): Promise<Worker>;
  side(url: string): Side;
  close(): Promise<void>;
}

function createCrew(): Crew {
  let coordinator: Running | null = null;
  const workers: Worker[] = [];
  const initiators: Worker[] = [];
  async function close(): Promise<void> {
    await Promise.all(workers.map((worker) => worker.stop()));
    await coordinator?.end((child) => void child.kill('SIGTERM'));
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
    side(url) {
      return {
        url,
        coordinatorPid: coordinator?.pid ?? 0,
        workerPids: workers.map((worker) => worker.pid),
        run(seconds) {
          const reports = Promise.all(initiators.map((worker) => worker.run(seconds)));
          // Workers would ask a coordinator that has died until their time is over.
          return coordinator === null ? reports : Promise.race([reports, coordinator.broken]);
        },
        close,
      };
    },
    close,
  };
}

interface Team {
  readonly options: BenchOptions;
  readonly url: string;
  /** What its workers run. */
  readonly file: string;
  readonly bankUrl: string | null;
  readonly participantUrls?: readonly string[] | null;
  /** Of the first worker that begins transactions. */
  readonly nodeFlags?: readonly string[];
}

async function addHttpBanks(crew: Crew, team: Team): Promise<readonly string[] | null> {
  if (team.options.transport !== 'http') return null;
  const banks = await addWorkers(crew, { ...team, participantUrls: [] }, 'participant');
  return banks.map(({ url }) => url ?? '');
}

/** Participants first: whoever begins must find them there. */
async function addTeam(crew: Crew, team: Team): Promise<void> {
  const { layout, transport } = team.options;
  const { nodeFlags, ...plain } = team;
  if (layout === 'split' && transport === 'channel') await addWorkers(crew, plain, 'participant');
  await addWorkers(crew, team, layout === 'split' ? 'initiator' : 'both');
}

async function addWorkers(crew: Crew, team: Team, role: WorkerRole): Promise<readonly Worker[]> {
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

function settingsOf(team: Team, role: WorkerRole, number: number): WorkerSettings {
  const { options, url, bankUrl, participantUrls = null } = team;
  const { mode, branches, rollbackPercent, wait, requestTimeoutMs, processes } = options;
  const isBank = role !== 'initiator';
  return {
    ...{ url, role, mode, branches, rollbackPercent, wait, requestTimeoutMs, participantUrls },
    inflight: Math.floor((options.inflight + number) / processes),
    ratePerSecond: options.ratePerSecond === null ? null : options.ratePerSecond / processes,
    databaseUrl: isBank ? bankUrl : null,
  };
}
