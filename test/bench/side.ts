/**
 * One of the things that are compared: a coordinator with its workers, the product's (`product.ts`)
 * or the floor's, on a database of its own; in mode `at` the product's workers without Settle. All
 * are asked the same way; what they cost is read from outside. Nothing is judged here.
 */
import { join } from 'node:path';
import { addTeam, addWorkers, type Crew, createCrew } from './crew.ts';
import type { BenchOptions } from './flags.ts';
import type { RoundReport } from './messages.ts';
import { firstLine, startNode } from './processes.ts';

/** A coordinator and its workers, ready to run rounds. */
export interface Side {
  /** Only the product has counters. `plain`: local transactions of the product's own workers. */
  readonly kind: 'product' | 'floor' | 'plain';
  readonly url: string;
  /** Null: it has no coordinator, and so no processor time of one. */
  readonly coordinatorPid: number | null;
  readonly workerPids: readonly number[];
  /** Transactions that are left open on purpose. */
  readonly held: number;
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
  /** In mode `at`, the databases of the resources. */
  readonly resourceUrls: readonly string[] | null;
  /** Folder for CPU profiles; null: none are taken. */
  readonly profileFolder: string | null;
}

const floorFolder = join(import.meta.dirname, 'floor');

/** Why these options have no floor; null: they have one. */
export function whyNoFloor(options: BenchOptions): string | null {
  if (!options.hasFloor) return 'not asked for';
  if (options.mode === 'at') return 'its rows are compared with plain local transactions instead';
  if (options.transport === 'http') return 'the floor calls nobody over HTTP';
  if (options.hasBarrier && options.mode !== 'saga') return 'the floor with a barrier runs sagas';
  return options.rollbackPercent > 0 ? 'the floor only commits' : null;
}

/** Starts the floor; nothing of it is left when it does not start. */
export async function openFloor(options: BenchOptions, places: SidePlaces): Promise<Side> {
  const crew = createCrew();
  try {
    if (options.hasBarrier) return await openBarrierFloor(crew, options, places);
    const file = join(floorFolder, 'coordinator.ts');
    const args = [JSON.stringify({ log: places.logUrl })];
    const coordinator = startNode({ name: 'the floor’s coordinator', file, args }, 'pipe');
    crew.lead(coordinator);
    // Parse boundary: the floor's coordinator prints this line and nothing else.
    const { url } = JSON.parse(await firstLine(coordinator)) as { url: string };
    const worker = join(floorFolder, 'worker.ts');
    await addTeam(crew, { options, url, file: worker, bankUrl: places.bankUrl });
    const { coordinatorPid, workerPids, run, close } = crew;
    return { kind: 'floor', url, held: 0, coordinatorPid, workerPids, run, close };
  } catch (error) {
    await crew.close();
    throw error;
  }
}

/** Where each step is a commit of its own, the participants' database alone is the floor. */
async function openBarrierFloor(
  crew: Crew,
  options: BenchOptions,
  { bankUrl }: SidePlaces,
): Promise<Side> {
  const file = join(floorFolder, 'barrier-worker.ts');
  await addWorkers(crew, { options, url: '', file, bankUrl }, 'both');
  const { workerPids, run, close } = crew;
  return { kind: 'floor', url: '', held: 0, coordinatorPid: null, workerPids, run, close };
}
