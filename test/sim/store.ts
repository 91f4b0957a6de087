/**
 * The database of the virtual world: the memory log behind a link that fails in every way that a
 * database does. It is no part of any process: what was sent to it lands whether the sender lives or
 * not.
 */
import type { Append, AppendAnswer, LogRow, Term, TransactionLog } from '../../server/log/log.ts';
import { createMemoryStore, type MemoryStore, openMemoryLog } from '../../server/log/memory-log.ts';
import type { CrashPoints, CrashSite } from './crash.ts';
import type { Faults } from './faults.ts';
import type { Swarm } from './swarm.ts';
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
  /** A row that somebody else may write into the slot of this one; null: none would be in order. */
  rival: (row: LogRow) => Append | null;
}

/** What the store needs of its world. */
export interface SimStoreOptions {
  readonly world: World;
  readonly swarm: Swarm;
  readonly faults: Faults;
  readonly crash: CrashPoints;
}

/** An empty store. */
export function createSimStore(options: SimStoreOptions): SimStore {
  const { world, swarm, faults, crash } = options;
  const store = createMemoryStore();
  const inner = openMemoryLog(store);

  /** Rows land: what is new in the store is told. */
  async function land(term: Term, batch: readonly Append[]): Promise<readonly AppendAnswer[]> {
    const before = batch.map(({ row }) => store.slots.get(row.gid)?.has(row.seq) ?? false);
    const answers = await inner.append(term, batch);
    for (const [index, { row }] of batch.entries()) {
      if (answers[index] === 'appended' && before[index] === false) sim.onLanded(row);
    }
    return answers;
  }

  /** Another row takes the slot before this one gets there. */
  async function plantRivals(term: Term, batch: readonly Append[]): Promise<void> {
    for (const { row } of batch) {
      if (store.slots.get(row.gid)?.has(row.seq)) continue;
      if (faults.strikes('appendConflict', row.gid, `of row ${row.seq}`) === null) continue;
      const rival = sim.rival(row);
      if (rival !== null) await land(term, [rival]);
    }
  }

  function append(process: Process, term: Term, batch: readonly Append[]) {
    return new Promise<readonly AppendAnswer[]>((resolve) => {
      const gid = batch[0]?.row.gid ?? 'world';
      const site: CrashSite = { boundary: 'append', kinds: batch.flatMap(kindsOf), gid };
      const travelMs = world.dice(`log/${gid}`).between(0, 3);
      const answer = (answers: readonly AppendAnswer[], delayMs: number, then = () => {}) =>
        world.after(delayMs, process, () => {
          resolve(answers);
          world.stir();
          then();
        });
      const unknown = batch.map((): AppendAnswer => 'unknown');
      if (crash.at(process, site, 'before')) return;
      const about = `${process.name} writes ${site.kinds[0]}`;
      if (faults.strikes('appendFailBefore', gid, about) !== null) {
        return void answer(unknown, travelMs + 1);
      }
      const laterMs = faults.strikes('appendLandLater', gid, about)?.between(5, 5_000) ?? 0;
      if (laterMs > 0) answer(unknown, travelMs + 1);
      const stallMs = faults.strikes('appendStall', gid, about)?.between(1_000, 60_000) ?? 0;
      world.after(travelMs + stallMs + laterMs, null, async () => {
        world.stir();
        await plantRivals(term, batch);
        const answers = await land(term, batch);
        if (crash.at(process, site, 'lostReply') || laterMs > 0) return;
        const deaf = faults.strikes('appendFailAfter', gid, about);
        // What follows from the answer leaves in its event; then the process may die.
        const die = () => world.after(0, null, () => void crash.at(process, site, 'after'));
        // Some rows may be heard of and others not.
        const heard = deaf === null ? answers : answers.map((one) => pick(deaf.next(), one));
        answer(heard, world.dice(`log/${gid}`).between(0, 3), die);
      });
    });
  }

  function read<T>(process: Process, what: string, answer: () => Promise<T>): Promise<T> {
    const dice = world.dice(`read/${process.name}`);
    return new Promise<T>((resolve, reject) => {
      const about = `${process.name}: ${what}`;
      const isBroken = faults.strikes('readFail', 'world', about) !== null;
      const stallMs = faults.strikes('readStall', 'world', about)?.between(1_000, 60_000) ?? 0;
      world.after(dice.between(0, swarm.readMsMax), null, async () => {
        world.stir();
        const found = await answer();
        world.after(dice.between(0, swarm.readMsMax) + stallMs, process, () => {
          world.stir();
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
    rival: () => null,
    open: (process) => ({
      commitsInFlightMax: 2,
      takeOver: (node, address, atMs) =>
        read(process, 'take-over', async () => {
          const term = await inner.takeOver(node, address, atMs);
          sim.onTerm(term);
          return term;
        }),
      append: (term, batch) => append(process, term, batch),
      read: (gids) => read(process, 'read', () => inner.read(gids)),
      openGids: (after, limit) => read(process, 'page', () => inner.openGids(after, limit)),
      search: (filter) => read(process, 'search', () => inner.search(filter)),
      find: (gids) => read(process, 'find', () => inner.find(gids)),
      release: (term) => inner.release(term),
      close: () => Promise.resolve(),
    }),
  };
  return sim;
}

/** Some rows of an answer that goes astray are heard of all the same. */
function pick(chance: number, answer: AppendAnswer): AppendAnswer {
  return chance < 0.7 ? 'unknown' : answer;
}

function kindsOf({ row }: Append): readonly string[] {
  return (JSON.parse(row.records) as readonly { kind: string; direction?: string }[]).map(
    (record) =>
      record.direction === undefined ? record.kind : `${record.kind}:${record.direction}`,
  );
}
