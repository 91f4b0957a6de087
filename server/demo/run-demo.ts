/**
 * One run of the demo, from an empty folder to the finding: starts the processes, lets transfers
 * and killer loose, waits until everything is decided, and hands the evidence to the check. What
 * is shown meanwhile and afterwards is in `progress.ts` and `report.ts`.
 */
import { join } from 'node:path';
import { seededRandom } from '../runtime/random.ts';
import { readAnswers } from './answer-book.ts';
import { check, type Finding } from './check.ts';
import * as coordinator from './coordinator-api.ts';
import { addCounters, type Counters, noCounters } from './counters.ts';
import { createShard } from './ledger.ts';
import { answersFile, type BankSettings, type TellerSettings } from './messages.ts';
import { coordinatorName, type Kill, planKills, runNemesis } from './nemesis.ts';
import { patienceMs, stuck, unlessFailed, within } from './patience.ts';
import { moneyOf, readShards } from './shard-reading.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';
import { createTallies, type Tallies } from './tallies.ts';
import { banks, gidOf, type Run, shardCount, shardFile, tellers } from './workload.ts';

/** What to run. */
export interface DemoOptions {
  readonly run: Run;
  readonly isKilling: boolean;
  /** Where the coordinator keeps its log; null: a SQLite file in the folder. */
  readonly logUrl: string | null;
  /** Transfers in flight at once, for each initiator. */
  readonly inflight: number;
  /** Empty, and the demo's own. */
  readonly folder: string;
}

/** What came of it. Times are in seconds. */
export interface DemoResult {
  readonly finding: Finding;
  readonly kills: readonly Kill[];
  /** Answers that were unknown at first, and were settled by asking. */
  readonly resolved: number;
  readonly counters: Counters;
  /** From the first transfer to the last answer. */
  readonly seconds: number;
  /** From then until the coordinator had nothing open any more. */
  readonly settlingSeconds: number;
}

/** A demo whose processes run. */
export interface Demo {
  /** Of the coordinator. */
  readonly url: string;
  readonly tallies: Tallies;
  /**
   * Runs all transfers to their end. Rejects with DemoFailure when a process ended by itself
   * or nothing moved for a minute.
   */
  result(killed: (kill: Kill) => void): Promise<DemoResult>;
  /** Ends all processes. Safe to repeat. */
  stop(): Promise<void>;
}

// From source as from the build: the others have the ending of this file.
const ending = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';
const cli = join(import.meta.dirname, '..', 'cli', `main.${ending}`);
const bankProcess = join(import.meta.dirname, `bank-process.${ending}`);
const tellerProcess = join(import.meta.dirname, `teller-process.${ending}`);
const stopGraceMs = 5_000;

/** Starts all processes; they wait for `result`. Rejects like it, and then nothing is left running. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { folder, run } = options;
  for (let shard = 0; shard < shardCount; shard += 1) {
    createShard(join(folder, shardFile(shard)), shard);
  }
  const moneyBefore = moneyOf(readShards(folder));
  const port = await coordinator.freePort();
  const url = `http://127.0.0.1:${port}`;
  const supervisor = createSupervisor(folder);
  const tallies = createTallies();
  const stop = () => supervisor.stop([...tellers, ...banks], stopGraceMs);
  const own = { options, supervisor, tallies, url, moneyBefore };
  try {
    await unlessFailed(supervisor, startAll(own, port));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    tallies,
    stop,
    result: (killed) => unlessFailed(supervisor, carryOut(own, run, killed)),
  };
}

interface Own {
  readonly options: DemoOptions;
  readonly supervisor: Supervisor;
  readonly tallies: Tallies;
  readonly url: string;
  readonly moneyBefore: number;
}

async function startAll(own: Own, port: number): Promise<void> {
  const { options, supervisor, tallies, url } = own;
  const { folder, run, inflight } = options;
  const logUrl = options.logUrl ?? `sqlite:${join(folder, 'log.db')}`;
  const settings = ['--port', String(port), '--node', `demo-${run.tag}`, '--log-level', 'warn'];
  supervisor.start({
    name: coordinatorName,
    command: () => [cli, 'server', ...settings],
    // Not an argument: a password in it would be shown by every `ps`.
    env: { SETTLE_LOG: logUrl, SETTLE_MIGRATE: 'true' },
  });
  if (!(await coordinator.becameReady(url, patienceMs)))
    throw stuck('the coordinator is not ready');
  for (const bank of banks) {
    const bankSettings: BankSettings = { bank, url, folder };
    supervisor.start({ name: bank, command: () => [bankProcess, JSON.stringify(bankSettings)] });
  }
  for (const teller of tellers) {
    supervisor.start({
      name: teller,
      command() {
        const { released } = tallies;
        const settings: TellerSettings = { teller, url, folder, run, inflight, released };
        return [tellerProcess, JSON.stringify(settings)];
      },
      heard: (message) => {
        if (message.kind === 'progress') tallies.heard(teller, message.tally);
      },
    });
  }
  const children = [...banks, ...tellers].map((name) => supervisor.ready(name));
  await within(Promise.all(children), 'a process did not become ready');
}

async function carryOut(own: Own, run: Run, killed: (kill: Kill) => void): Promise<DemoResult> {
  const { options, supervisor, tallies, url, moneyBefore } = own;
  const { folder } = options;
  const startedAt = performance.now();
  let counters = noCounters;
  const release = (released: number): void => {
    tallies.release(released);
    for (const teller of tellers) supervisor.tell(teller, { kind: 'release', released });
  };
  const kills = options.isKilling ? planKills(run.transfers, seededRandom(run.seed)) : [];
  const stuckAt = () => `${tallies.total().answered} of ${run.transfers} transfers were answered`;
  const answered = (count: number) => tallies.answered(count, patienceMs);
  await runNemesis(kills, run.transfers, {
    release,
    answered: async (count) => {
      if (!(await answered(count))) throw stuck(stuckAt());
    },
    async kill(kill) {
      // Its counters die with it; what it counts in the last millisecond is not seen.
      if (kill.target === coordinatorName) {
        counters = addCounters(counters, await coordinator.readCounters(url));
      }
      await supervisor.kill(kill.target);
      killed(kill);
    },
    restart: supervisor.restart,
  });
  if (!(await answered(run.transfers))) throw stuck(stuckAt());
  const answeredAt = performance.now();
  // What stays open is a violation that the check finds, with its gid.
  await coordinator.becameQuiet(url, gidOf(run, 0).slice(0, -7), patienceMs);
  const quietAt = performance.now();
  const gids = new Set(Array.from({ length: run.transfers }, (_, index) => gidOf(run, index)));
  const outcomes = await coordinator.readOutcomes(url, gids);
  counters = addCounters(counters, await coordinator.readCounters(url));
  const answers = tellers.flatMap((teller) => readAnswers(join(folder, answersFile(teller))));
  const shards = readShards(folder);
  return {
    finding: check({ run, moneyBefore, shards, outcomes, answers }),
    kills,
    resolved: tallies.total().resolved,
    counters,
    seconds: (answeredAt - startedAt) / 1_000,
    settlingSeconds: (quietAt - answeredAt) / 1_000,
  };
}
