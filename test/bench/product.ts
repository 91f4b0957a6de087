/**
 * The product as a side: `settle server` and workers that use the SDK. Beyond rounds it can be put
 * into the states that rows of the suite are about: with transactions left open, killed and started
 * again, with more workers. Nothing is judged here.
 */
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { becameReady, freePort } from '../../server/demo/coordinator-api.ts';
import { addTeam, addWorkers, type Crew, createCrew, settingsOf, type Team } from './crew.ts';
import type { BenchOptions } from './flags.ts';
import type { HeapReport } from './heap.ts';
import type { HoldSettings } from './holder.ts';
import type { RoundReport, WorkerRole, WorkerSettings } from './messages.ts';
import { type Running, startNode, startWorker, type Worker } from './processes.ts';
import type { Side, SidePlaces } from './side.ts';

/** The product, ready to run rounds, and to be ill-treated. */
export interface ProductSide extends Side {
  readonly coordinatorPid: number;
  /** One more worker; its rounds are its own, `run` does not ask it. Ended with the others. */
  addWorker(role: WorkerRole, changes: ExtraWorker): Promise<Worker>;
  /** Begins so many transactions, which stay open when this has resolved. */
  hold(wish: Pick<HoldSettings, 'count' | 'isCommitted'>): Promise<void>;
  /** One round of plain local transactions by the same workers; only in mode `at`. */
  runPlain(seconds: number): Promise<readonly RoundReport[]>;
  /** Ends all workers that have been started. */
  endWorkers(): Promise<void>;
  /** `kill -9` of the coordinator. */
  kill(): Promise<void>;
  /** Starts the coordinator again, on its port and its log; does not wait. */
  startAgain(): void;
  /** Resolves when it takes work. */
  ready(): Promise<void>;
  /** Memory of the coordinator after a full collection; only with `showsHeap`. */
  heap(): Promise<HeapReport>;
}

/** What is different about one more worker. */
export type ExtraWorker = Partial<WorkerSettings> & {
  /** It gives way to everybody else on the machine. */
  readonly isNice?: boolean;
};

/** How to start the product. */
export interface ProductOptions {
  /** Without the workers that the options ask for. */
  readonly isBare?: boolean;
  /** The coordinator answers `heap`. */
  readonly showsHeap?: boolean;
}

const root = join(import.meta.dirname, '..', '..');
const workerFile = join(import.meta.dirname, 'worker.ts');
const startMsMax = 60_000;
/** So nice that a process gets what others leave. */
const nicest = 19;

/** Starts the product; nothing of it is left when it does not start. */
export async function openProduct(
  options: BenchOptions,
  places: SidePlaces,
  { isBare = false, showsHeap = false }: ProductOptions = {},
): Promise<ProductSide> {
  const crew = createCrew();
  try {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { bankUrl, resourceUrls } = places;
    const team = { options, url, file: workerFile, bankUrl, resourceUrls };
    const participantUrls = await addHttpBanks(crew, team);
    const start = (): Running => startCoordinator(url, places, { participantUrls, showsHeap });
    const side = productSide(crew, team, start);
    side.startAgain();
    await side.ready();
    const nodeFlags = profileFlags(places, 'worker');
    if (!isBare) await addTeam(crew, { ...team, participantUrls, nodeFlags });
    return side;
  } catch (error) {
    await crew.close();
    throw error;
  }
}

async function addHttpBanks(crew: Crew, team: Team): Promise<readonly string[] | null> {
  if (team.options.transport !== 'http') return null;
  const banks = await addWorkers(crew, { ...team, participantUrls: [] }, 'participant');
  return banks.map(({ url }) => url ?? '');
}

function productSide(crew: Crew, team: Team, start: () => Running): ProductSide {
  const { url } = team;
  let coordinator: Running | null = null;
  let holder: Running | null = null;
  let held = 0;
  const running = (): Running => {
    if (coordinator === null) throw new Error('there is no coordinator');
    return coordinator;
  };
  return {
    ...{ kind: 'product', url, run: crew.run, endWorkers: crew.endWorkers },
    runPlain: crew.runPlain,
    get coordinatorPid() {
      return crew.coordinatorPid;
    },
    get workerPids() {
      return crew.workerPids;
    },
    get held() {
      return held;
    },
    async addWorker(role, { isNice = false, ...changes }) {
      const settings = { ...settingsOf(team, role, 0), ...changes };
      const worker = await startWorker({ name: `one more ${role}`, file: workerFile }, settings);
      if (isNice) setPriority(worker.pid, nicest);
      // As no initiator: it runs when it is told to, not with the others.
      return crew.add(Promise.resolve(worker), false);
    },
    async hold({ count, isCommitted }) {
      holder = startHolder({ url, first: held, count, isCommitted });
      // Its end is its answer: nothing of it, no connection either, is there when others measure.
      const how = await holder.ended;
      if (how !== 'code 0') throw new Error(`the holder has ended with ${how}`);
      held += count;
    },
    async kill() {
      await running().end((child) => void child.kill('SIGKILL'));
    },
    startAgain() {
      coordinator = start();
      crew.lead(coordinator);
    },
    async ready() {
      const isReady = await Promise.race([becameReady(url, startMsMax), running().broken]);
      if (!isReady) throw new Error('the coordinator did not start');
    },
    heap: () => askHeap(running()),
    async close() {
      await holder?.end((child) => void child.kill('SIGKILL'));
      await crew.close();
    },
  };
}

interface CoordinatorFlags {
  readonly participantUrls: readonly string[] | null;
  readonly showsHeap: boolean;
}

function startCoordinator(
  url: string,
  places: SidePlaces,
  { participantUrls, showsHeap }: CoordinatorFlags,
): Running {
  const args = [
    ...['server', '--port', new URL(url).port, '--log', places.logUrl, '--migrate'],
    ...['--node', 'bench', '--log-level', 'warn'],
    ...(participantUrls?.flatMap((origin) => ['--allow-callback', origin]) ?? []),
  ];
  const file = join(root, 'server', 'cli', 'main.ts');
  const heapFlags = ['--expose-gc', '--import', join(import.meta.dirname, 'heap-preload.ts')];
  const nodeFlags = [...profileFlags(places, 'coordinator'), ...(showsHeap ? heapFlags : [])];
  return startNode({ name: 'the coordinator', file, args, nodeFlags }, 'shown');
}

function profileFlags({ profileFolder }: SidePlaces, name: string): readonly string[] {
  if (profileFolder === null) return [];
  return ['--cpu-prof', '--cpu-prof-dir', join(profileFolder, name)];
}

function startHolder(settings: HoldSettings): Running {
  const file = join(import.meta.dirname, 'holder.ts');
  return startNode({ name: 'the holder', file, args: [JSON.stringify(settings)] }, 'shown');
}

function askHeap({ child, broken }: Running): Promise<HeapReport> {
  const answer = new Promise<HeapReport>((resolve) => {
    child.once('message', (message: HeapReport) => resolve(message));
  });
  child.send('heap');
  return Promise.race([answer, broken]);
}

/** The product's workers and databases, without Settle. Closed with the product. */
export function plainSide(product: ProductSide): Side {
  const { url, runPlain: run } = product;
  return {
    ...{ kind: 'plain', url, run, held: 0 },
    get coordinatorPid() {
      return product.coordinatorPid;
    },
    get workerPids() {
      return product.workerPids;
    },
    close: async () => undefined,
  };
}
