/**
 * The log of the virtual world: the memory log behind a link that fails in every way that a database
 * does. It also keeps the truth: the state of each gid by the rows that have really landed.
 */
import type { Append, AppendAnswer, LogRow, Term, TransactionLog } from '../../server/log/log.ts';
import { createMemoryStore, type MemoryStore, openMemoryLog } from '../../server/log/memory-log.ts';
import type { CrashPoints } from './crash.ts';
import type { FaultRates } from './swarm.ts';
import type { Process, World } from './world.ts';

/** One database that all coordinators share. */
export interface SimStore {
  readonly store: MemoryStore;
  /** The log as one coordinator process sees it. */
  open(process: Process): TransactionLog;
  /** Called with each row at the moment in which it lands. */
  onLanded: (row: LogRow) => void;
  /** Called when a term begins. */
  onTerm: (term: Term) => void;
  faultsInjected(): number;
}

/** What the store needs of its world. */
export interface SimStoreOptions {
  readonly world: World;
  readonly faults: () => FaultRates;
  readonly crash: CrashPoints;
}

/** An empty store. */
export function createSimStore(options: SimStoreOptions): SimStore {
  const { world, faults, crash } = options;
  const store = createMemoryStore();
  const inner = openMemoryLog(store);
  const dice = world.dice('store');
  let injected = 0;

  /** Rows land: what is new in the store is told. */
  async function land(term: Term, batch: readonly Append[]): Promise<readonly AppendAnswer[]> {
    const before = batch.map(({ row }) => store.slots.get(row.gid)?.has(row.seq) ?? false);
    const answers = await inner.append(term, batch);
    for (const [index, { row }] of batch.entries()) {
      if (answers[index] === 'appended' && before[index] === false) sim.onLanded(row);
    }
    return answers;
  }

  function append(process: Process, term: Term, batch: readonly Append[]) {
    return new Promise<readonly AppendAnswer[]>((resolve) => {
      const reply = (answers: readonly AppendAnswer[], delayMs: number) =>
        void world.after(delayMs, process, () => resolve(answers));
      const unknown = batch.map((): AppendAnswer => 'unknown');
      const rates = faults();
      const travelMs = dice.between(0, 3);
      const kinds = batch.flatMap(({ row }) => kindsOf(row));
      if (crash.at(process, 'append', kinds, 'before')) return;
      const fault = drawFault(rates);
      if (fault !== 'none') injected += 1;
      if (fault === 'failBefore') return reply(unknown, travelMs + 1);
      const stallMs = fault === 'stall' ? dice.between(1_000, 60_000) : 0;
      const laterMs = fault === 'landLater' ? dice.between(5, 5_000) : 0;
      if (laterMs > 0) reply(unknown, travelMs + 1);
      // The database is no part of the process: what was sent lands whether the sender lives or not.
      world.after(travelMs + stallMs + laterMs, null, async () => {
        const answers = await land(term, batch);
        if (crash.at(process, 'append', kinds, 'lostReply') || laterMs > 0) return;
        const isHeard = fault !== 'failAfter';
        world.after(dice.between(0, 3), process, () => {
          resolve(isHeard ? answers : unknown);
          // What follows from the answer leaves in this event; then the process may die.
          world.after(0, null, () => void crash.at(process, 'append', kinds, 'after'));
        });
      });
    });
  }

  function drawFault(
    rates: FaultRates,
  ): 'none' | 'failBefore' | 'failAfter' | 'landLater' | 'stall' {
    if (dice.chance(rates.appendFailBefore)) return 'failBefore';
    if (dice.chance(rates.appendFailAfter)) return 'failAfter';
    if (dice.chance(rates.appendLandLater)) return 'landLater';
    return dice.chance(rates.appendStall) ? 'stall' : 'none';
  }

  function read<T>(process: Process, answer: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const isBroken = dice.chance(faults().readFail);
      if (isBroken) injected += 1;
      world.after(dice.between(0, 3), null, async () => {
        const found = await answer();
        world.after(dice.between(0, 3), process, () => {
          if (isBroken) reject(new Error('the connection was lost'));
          else resolve(found);
        });
      });
    });
  }

  const sim: SimStore = {
    store,
    onLanded: () => {},
    onTerm: () => {},
    faultsInjected: () => injected,
    open: (process) => ({
      commitsInFlightMax: 2,
      takeOver: (node, address, atMs) =>
        read(process, async () => {
          const term = await inner.takeOver(node, address, atMs);
          sim.onTerm(term);
          return term;
        }),
      append: (term, batch) => append(process, term, batch),
      read: (gids) => read(process, () => inner.read(gids)),
      openGids: (after, limit) => read(process, () => inner.openGids(after, limit)),
      search: (filter) => read(process, () => inner.search(filter)),
      find: (gids) => read(process, () => inner.find(gids)),
      release: (term) => inner.release(term),
      close: () => Promise.resolve(),
    }),
  };
  return sim;
}

function kindsOf(row: LogRow): readonly string[] {
  return (JSON.parse(row.records) as readonly { kind: string; direction?: string }[]).map(
    (record) =>
      record.direction === undefined ? record.kind : `${record.kind}:${record.direction}`,
  );
}
