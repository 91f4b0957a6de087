/**
 * A stage for engine tests: the real engine over the memory log, virtual time, and participants that
 * answer what the test says. The log can be told to answer late, unknown or not at all.
 */
import type {
  Call,
  CallAnswer,
  Participant,
  Tracer,
  TransactionAnswer,
  TransactionView,
} from '../../client-sdk/protocol/index.ts';
import type { Transport } from '../../server/dispatch/transport.ts';
import type { Answer } from '../../server/engine/coordinator.ts';
import { createEngine, type Engine } from '../../server/engine/engine.ts';
import { type EngineOptions, engineDefaults } from '../../server/engine/limits.ts';
import type { AppendAnswer, TransactionLog } from '../../server/log/log.ts';
import { createMemoryStore, type MemoryStore, openMemoryLog } from '../../server/log/memory-log.ts';
import { seededRandom } from '../../server/runtime/random.ts';
import { createVirtualTime, type VirtualTime } from '../support/virtual-time.ts';

/** What the participant called `method` (or url) answers; `null`: nothing, for the test answers later. */
export type Script = (call: Call) => CallAnswer | null;

/**
 * What happens to appends: landed and answered, landed but answered unknown, dropped, thrown, or held
 * back. `unreadable`: appends are well, but reads throw.
 */
export type LogMood =
  | 'well'
  | 'unknownLanded'
  | 'unknownLost'
  | 'throwing'
  | 'stalled'
  | 'unreadable';

export interface Stage {
  readonly time: VirtualTime;
  readonly engine: Engine;
  readonly store: MemoryStore;
  readonly calls: Call[];
  readonly appended: readonly string[];
  fencedCount(): number;
  mood(mood: LogMood): void;
  /** Reads from now on see the store at once and are answered, or fail, after so long. */
  readsTake(ms: number): void;
  script(script: Script): void;
  /** Answers the oldest call that got no answer by the script. */
  answer(answer: CallAnswer): Promise<void>;
  ask<T>(action: (engine: Engine, answered: (answer: Answer<T>) => void) => void): Asked<T>;
  view(gid: string): Promise<TransactionView>;
}

export interface Asked<T> {
  /** Null as long as there is no answer. */
  answer: Answer<T> | null;
}

export const done: CallAnswer = { outcome: 'done', result: null };

/** A started engine; several may stand on one store, as coordinators on one log. */
export async function createStage(
  options: Partial<EngineOptions> = {},
  store: MemoryStore = createMemoryStore(),
  time: VirtualTime = createVirtualTime(),
  tracer?: Tracer,
): Promise<Stage> {
  const calls: Call[] = [];
  const appended: string[] = [];
  const unanswered: ((answer: CallAnswer) => void)[] = [];
  let mood: LogMood = 'well';
  let script: Script = () => done;
  let fencedCount = 0;
  let readMs = 0;
  const inner = openMemoryLog(store);
  async function read<T>(seen: Promise<T>): Promise<T> {
    const isAway = mood === 'unreadable';
    const answer = await seen;
    if (readMs > 0) await new Promise<void>((resolve) => void time.clock.after(readMs, resolve));
    if (isAway) throw new Error('the log is away');
    return answer;
  }
  const log: TransactionLog = {
    ...inner,
    read: (gids) => read(inner.read(gids)),
    openGids: (afterGid, limit) => read(inner.openGids(afterGid, limit)),
    async append(term, batch) {
      if (mood === 'throwing') throw new Error('the driver broke its promise');
      if (mood === 'stalled') return new Promise<readonly AppendAnswer[]>(() => {});
      const unknown = batch.map((): AppendAnswer => 'unknown');
      if (mood === 'unknownLost') return unknown;
      const isLanded = mood === 'unknownLanded';
      const answers = await inner.append(term, batch);
      for (const { row } of batch) appended.push(`${row.gid}/${row.seq}`);
      return isLanded ? unknown : answers;
    },
  };
  const transport: Transport = {
    reaches: (participant: Participant) => 'service' in participant,
    call(_participant, call, _timeoutMs, answered) {
      calls.push(call);
      const answer = script(call);
      if (answer === null) unanswered.push(answered);
      else time.clock.soon(() => answered(answer));
    },
    close: () => Promise.resolve(),
  };
  const engine = createEngine({
    clock: time.clock,
    random: seededRandom(1),
    log,
    transports: [transport],
    options: { ...engineDefaults, ...options },
    tracer,
    onFenced: () => {
      fencedCount += 1;
    },
  });
  await engine.start('node-1', '127.0.0.1:0');
  await time.settle();
  const stage: Stage = {
    time,
    engine,
    store,
    calls,
    appended,
    fencedCount: () => fencedCount,
    mood: (next) => {
      mood = next;
    },
    readsTake: (ms) => {
      readMs = ms;
    },
    script: (next) => {
      script = next;
    },
    async answer(answer) {
      unanswered.shift()?.(answer);
      await time.settle();
    },
    ask(action) {
      const asked: Asked<never> = { answer: null };
      action(engine, (answer) => {
        if (asked.answer !== null) throw new Error('answered twice');
        asked.answer = answer as Answer<never>;
      });
      return asked;
    },
    async view(gid) {
      const asked = stage.ask<TransactionView>((e, answered) => e.get({ gid }, answered));
      await time.settle();
      if (asked.answer?.ok !== true) throw new Error(`no view: ${JSON.stringify(asked.answer)}`);
      return asked.answer.body;
    },
  };
  return stage;
}

/** Two branches at the bank. */
export const twoBranches = [
  { participant: { service: 'bank', method: 'debit' }, payload: { cents: 500 } },
  { participant: { service: 'bank', method: 'credit' }, payload: { cents: 500 } },
];

/** Steps by name, each after the one before. */
export function stepsOf(...names: readonly string[]) {
  return names.map((name) => ({ name, participant: { service: 'trip', method: name } }));
}

export type Outcome = Asked<TransactionAnswer>;
