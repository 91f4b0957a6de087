/**
 * One run from start to end: stage, load and faults, healing, quiet, final reading, judgement. Its
 * folder is removed unless something was found.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '../../../server/runtime/random.ts';
import { type Breakage, initiators, offices } from './cast.ts';
import { check, type Finding, shortestWitness } from './checker.ts';
import {
  countOpen,
  countSessions,
  type Evidence,
  readApi,
  readLog,
  readShard,
} from './evidence.ts';
import { historyFile, openHistory, readHistory } from './history.ts';
import { createNemesis } from './nemesis.ts';
import { planNemesis } from './nemesis-plan.ts';
import { startReader } from './readers.ts';
import { type Stage, setStage } from './stage.ts';

/** What to run. */
export interface BankOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly breakage: Breakage | null;
  /** Progress, a line at a time. */
  readonly say: (line: string) => void;
  /** Resolves when the user wants it to end at once. */
  readonly interrupted: Promise<void>;
}

/** What came of it. */
export interface BankResult {
  readonly finding: Finding;
  readonly kills: number;
  /** Lines; empty when nothing was found. */
  readonly witness: readonly string[];
  /** Kept, because something was found; else null. */
  readonly folder: string | null;
}

const transfersPerSecond = 30;
const quietMsMax = 60_000;
const pollMs = 250;

/**
 * Runs one plan. A text: a database server is missing, nothing was run. Null: it was interrupted.
 * Whatever happens, all processes have ended when it returns.
 */
export async function runBank(options: BankOptions): Promise<BankResult | string | null> {
  const { seed, breakage, interrupted, say } = options;
  const folder = await mkdtemp(join(tmpdir(), 'settle-bank-'));
  const tag = Date.now().toString(36);
  let isKept = false;
  say('starting servers and processes');
  const stage = await setStage({ folder, seed, tag, perSecond: transfersPerSecond, breakage });
  try {
    if (typeof stage === 'string') return stage;
    const result = await Promise.race([play(stage, folder, options), interrupted]);
    if (result === undefined) return null;
    isKept = result.folder !== null;
    return result;
  } finally {
    if (typeof stage !== 'string') await stage.close();
    if (!isKept) await rm(folder, { recursive: true, force: true });
  }
}

async function play(stage: Stage, folder: string, options: BankOptions): Promise<BankResult> {
  const { minutes, seed, breakage, say } = options;
  const history = openHistory(historyFile(folder, 'nemesis'), 'nemesis');
  const startedAt = performance.now();
  const nemesis = createNemesis(stage, (what) => {
    history.write({ type: 'info', f: 'fault', gid: null, value: what });
    say(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${what}`);
  });
  const readers = ['reader-1', 'reader-2'].map((name) => startReader(name, folder, stage.shards));
  const totalMs = Math.round(minutes * 60_000);
  await nemesis.run(planNemesis(totalMs, seededRandom(seed), breakage));
  await pause(Math.max(0, startedAt + totalMs - performance.now()));
  say('healing everything');
  await nemesis.heal();
  const quietMs = await becameQuiet(stage);
  say(quietMs === null ? `not quiet after ${quietMsMax} ms` : `quiet after ${quietMs} ms`);
  await Promise.all(readers.map((reader) => reader.stop()));
  history.close();
  const evidence: Evidence = {
    history: readHistory(folder),
    shards: await Promise.all([...stage.shards].map(([shard, db]) => readShard(shard, db))),
    ...(await readLog(stage.log.url)),
    api: await readApi(stage.urlOf(stage.active())),
    crashes: stage.children.crashes,
  };
  const finding = check(evidence);
  const isClean = finding.violations.length === 0;
  return {
    finding,
    kills: nemesis.kills,
    witness: shortestWitness(evidence, finding.violations),
    folder: isClean ? null : folder,
  };
}

/**
 * Ends the initiators, then waits until no office works, nothing is open or reserved, and no local
 * transaction is left. Null: it never became so.
 */
async function becameQuiet(stage: Stage): Promise<number | null> {
  const startedAt = performance.now();
  const passedMs = (): number => Math.round(performance.now() - startedAt);
  for (const name of initiators) {
    stage.children.letGo(name);
    stage.children.tell(name, { kind: 'stop' });
  }
  await Promise.all(initiators.map((name) => stage.children.ended(name, quietMsMax)));
  while (passedMs() < quietMsMax) {
    // In this order: what an office ends with may still open something in the log.
    if (await isQuiet(stage)) return passedMs();
    await pause(pollMs);
  }
  return null;
}

async function isQuiet(stage: Stage): Promise<boolean> {
  if ((await countWorking(stage)) > 0) return false;
  if ((await countOpen(stage.log.url)) > 0 || (await countReserved(stage)) > 0) return false;
  const sessions = [...stage.shards].map(([shard, db]) => countSessions(shard, db));
  return (await Promise.all(sessions)).every((count) => count === 0);
}

/** Pieces of work that offices have begun; one that does not answer may have any. */
async function countWorking({ officeUrls }: Stage): Promise<number> {
  const counts = offices.map(async (name) => {
    const response = await fetch(`${officeUrls[name]}/working`).catch(() => null);
    return response === null ? 1 : Number(await response.json());
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

async function countReserved(stage: Stage): Promise<number> {
  const counts = await Promise.all(
    [...stage.shards.values()].map((db) =>
      db
        .selectFrom('reservation')
        .select((row) => row.fn.countAll<number | string>().as('count'))
        .executeTakeFirstOrThrow(),
    ),
  );
  return counts.reduce((sum, { count }) => sum + Number(count), 0);
}
