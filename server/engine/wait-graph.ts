/**
 * Which global transaction waits for which, as services report it, and who gives way. Memory only:
 * a restart forgets it, and the reports that go on rebuild it. Pure; times come with the calls.
 *
 * Reports come at different moments, and two that were never true together are no deadlock. So each
 * claim ("waits for", "has that connection") keeps the time of its first report, and of the last one
 * but one: a service looks again only when its last report was answered, so up to then the claim
 * certainly held. Invariant: a gid gives way only when there was one moment at which every claim of
 * a cycle held, and it is the youngest of that cycle. The eldest one never gives way.
 */
import type {
  DatabaseConnection,
  Gid,
  GivenWay,
  ReportWaitsRequest,
} from '../../client-sdk/protocol/index.ts';

/** Bounds of a graph; times on the clock of whoever calls. */
export interface WaitGraphOptions {
  /** Scopes that it remembers; what more of them report is not kept. */
  readonly scopesMax: number;
  /** A scope that has not reported for so long is forgotten. */
  readonly forgetAfterMs: number;
  /** Cycles are looked for at most this often, whoever asks … */
  readonly judgeEveryMs: number;
  /** … and less often when there is more to look at: so many claims for each millisecond. */
  readonly claimsPerMs: number;
}

/** When a report came, and how old its gid is. */
export interface ReportedAt {
  readonly nowMs: number;
  /** Asked once, when the gid is first heard of. */
  readonly bornAtMs: (gid: Gid) => number;
}

/** What one process has said of its work for a gid, for those who look. */
export interface ReportedScope {
  readonly gid: Gid;
  readonly waits: readonly ReportedWait[];
  readonly connections: readonly DatabaseConnection[];
}

/** A wait, since it was first reported. */
export interface ReportedWait {
  readonly sinceMs: number;
  readonly target: { readonly connection: DatabaseConnection } | { readonly gid: Gid };
  /** It was told to end. */
  readonly givesWay: boolean;
}

/** Something that was claimed, from when to when for certain. */
interface Claim {
  readonly firstAtMs: number;
  readonly confirmedAtMs: number;
}

/** One process that works for a gid. */
interface Scope {
  readonly gid: Gid;
  readonly name: string;
  readonly look: number;
  readonly reportedAtMs: number;
  /** By what is waited for; a connection or a gid, behind the number of the wait. */
  readonly waits: ReadonlyMap<string, Wait>;
  /** By connection. */
  readonly connections: ReadonlyMap<string, Claim>;
}

interface Wait extends Claim {
  readonly target: Target;
  /** Its number in the scope. */
  readonly wait: number;
}

type Target = { readonly connection: string } | { readonly gid: Gid };

/** That a gid waits for another one; `scope` and `wait`: where. */
interface Edge extends Claim {
  readonly to: Gid;
  readonly scope: string;
  readonly wait: number;
}

/** By who waits. */
type Edges = ReadonlyMap<Gid, readonly Edge[]>;

/** Reports of waits, and what follows from them. */
export class WaitGraph {
  readonly #options: WaitGraphOptions;
  readonly #scopes = new Map<string, Scope>();
  readonly #bornAtMs = new Map<Gid, number>();
  /** The first edge of the cycle that a gid is the youngest of. */
  #verdicts: ReadonlyMap<Gid, Edge> = new Map();
  #found = 0;
  #nextLookAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WaitGraphOptions) {
    this.#options = options;
  }

  /** Scopes that are remembered. */
  get size(): number {
    return this.#scopes.size;
  }

  /** Deadlocks that were found, by who had to give way, since start. */
  get found(): number {
    return this.#found;
  }

  /** Scopes that have said lately that they wait. */
  waiting(nowMs: number): number {
    const oldestMs = nowMs - this.#options.forgetAfterMs;
    let count = 0;
    for (const { waits, reportedAtMs } of this.#scopes.values()) {
      if (waits.size > 0 && reportedAtMs >= oldestMs) count += 1;
    }
    return count;
  }

  /** What was reported at this time or later. */
  reported(oldestMs: number): readonly ReportedScope[] {
    const alive = [...this.#scopes.values()].filter((scope) => scope.reportedAtMs >= oldestMs);
    return alive.map(({ gid, name, waits, connections }) => {
      const verdict = this.#verdicts.get(gid);
      const shown = [...waits.values()].map(({ firstAtMs, target, wait }): ReportedWait => {
        const givesWay = verdict?.scope === name && verdict.wait === wait;
        const whom = 'gid' in target ? target : { connection: connectionOf(target.connection) };
        return { sinceMs: firstAtMs, target: whom, givesWay };
      });
      return { gid, waits: shown, connections: [...connections.keys()].map(connectionOf) };
    });
  }

  /**
   * Takes the place of what this scope said before, unless it comes again or late. Answers which of
   * its waits gives way, and to whom, or null; asked again, the same while that wait is reported.
   */
  report(request: ReportWaitsRequest, { nowMs, bornAtMs }: ReportedAt): GivenWay | null {
    const { gid, scope: name, waits, holders } = request;
    const key = `${gid} ${name}`;
    const before = this.#scopes.get(key);
    if (before === undefined && !this.#hasRoom(nowMs)) return null;
    if (!this.#bornAtMs.has(gid)) this.#bornAtMs.set(gid, bornAtMs(gid));
    if (before === undefined || before.look < request.look) {
      this.#scopes.set(key, scopeOf(request, before, nowMs));
    }
    if (nowMs >= this.#nextLookAtMs) this.#judge(nowMs);
    const verdict = this.#verdicts.get(gid);
    if (verdict?.scope !== name) return null;
    const isStill = [...waits, ...holders].some(({ id }) => id === verdict.wait);
    return isStill ? { wait: verdict.wait, to: verdict.to } : null;
  }

  /** The gid is decided: nobody of it waits any more. */
  forget(gid: Gid): void {
    if (!this.#bornAtMs.has(gid)) return;
    for (const [key, scope] of this.#scopes) if (scope.gid === gid) this.#scopes.delete(key);
    this.#bornAtMs.delete(gid);
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#scopes.size < this.#options.scopesMax) return true;
    this.#expire(nowMs);
    return this.#scopes.size < this.#options.scopesMax;
  }

  #expire(nowMs: number): void {
    const oldestMs = nowMs - this.#options.forgetAfterMs;
    const left = new Set<Gid>();
    for (const [key, { gid, reportedAtMs }] of this.#scopes) {
      if (reportedAtMs < oldestMs) this.#scopes.delete(key);
      else left.add(gid);
    }
    for (const gid of this.#bornAtMs.keys()) if (!left.has(gid)) this.#bornAtMs.delete(gid);
  }

  #judge(nowMs: number): void {
    this.#expire(nowMs);
    const all = this.#edges();
    const { judgeEveryMs, claimsPerMs } = this.#options;
    const claims = [...all.values()].reduce((sum, { length }) => sum + length, 0);
    this.#nextLookAtMs = nowMs + Math.max(judgeEveryMs, claims / claimsPerMs);
    const edges = inCycles(all);
    const verdicts = new Map<Gid, Edge>();
    for (const atMs of momentsOf(edges)) {
      const then = inCycles(held(edges, atMs));
      for (const gid of then.keys()) {
        if (verdicts.has(gid)) continue;
        const first = firstOfCycle(gid, then, (other) => this.#isYounger(gid, other));
        if (first !== null) verdicts.set(gid, first);
      }
    }
    for (const [gid, { scope, wait }] of verdicts) {
      const known = this.#verdicts.get(gid);
      if (known?.scope !== scope || known.wait !== wait) this.#found += 1;
    }
    this.#verdicts = verdicts;
  }

  /** A total order, so that all members of a cycle see the same one as its youngest. */
  #isYounger(one: Gid, other: Gid): boolean {
    const oneMs = this.#bornAtMs.get(one) ?? 0;
    const otherMs = this.#bornAtMs.get(other) ?? 0;
    return oneMs === otherMs ? one > other : oneMs > otherMs;
  }

  /**
   * From gid to gid. That a gid waits for a connection of its own is no edge: another scope of it may
   * still end by itself.
   */
  #edges(): Edges {
    const owners = new Map<string, { readonly gid: Gid; readonly claim: Claim }[]>();
    for (const { gid, connections } of this.#scopes.values()) {
      for (const [connection, claim] of connections) push(owners, connection, { gid, claim });
    }
    const edges = new Map<Gid, Edge[]>();
    for (const { gid, name: scope, waits } of this.#scopes.values()) {
      for (const { target, wait, ...claim } of waits.values()) {
        const whom =
          'gid' in target ? [{ gid: target.gid, claim }] : (owners.get(target.connection) ?? []);
        for (const other of whom) {
          if (other.gid === gid) continue;
          push(edges, gid, { ...both(claim, other.claim), to: other.gid, scope, wait });
        }
      }
    }
    return edges;
  }
}

function push<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Of its key; no name of a database has a space in it. */
function connectionOf(key: string): DatabaseConnection {
  const [database = '', id = ''] = key.split(' ');
  return { database, id: Number(id) };
}

/** What both of two claims hold for. */
function both(one: Claim, other: Claim): Claim {
  return {
    firstAtMs: Math.max(one.firstAtMs, other.firstAtMs),
    confirmedAtMs: Math.min(one.confirmedAtMs, other.confirmedAtMs),
  };
}

function scopeOf(request: ReportWaitsRequest, before: Scope | undefined, nowMs: number): Scope {
  /** What was said before, and is said again, held until then. */
  const claim = (known: Claim | undefined): Claim =>
    known === undefined || before === undefined
      ? { firstAtMs: nowMs, confirmedAtMs: Number.NEGATIVE_INFINITY }
      : { firstAtMs: known.firstAtMs, confirmedAtMs: before.reportedAtMs };
  const waits = new Map<string, Wait>();
  const add = (wait: number, what: string, target: Target): void => {
    const key = `${wait} ${what}`;
    waits.set(key, { ...claim(before?.waits.get(key)), target, wait });
  };
  for (const { id, database, blockers } of request.waits) {
    for (const blocker of blockers) {
      const connection = `${database} ${blocker}`;
      add(id, connection, { connection });
    }
  }
  for (const { id, gid } of request.holders) add(id, `of ${gid}`, { gid });
  const connections = new Map<string, Claim>();
  for (const { database, id } of request.connections) {
    const connection = `${database} ${id}`;
    connections.set(connection, claim(before?.connections.get(connection)));
  }
  const { gid, scope: name, look } = request;
  return { gid, name, look, reportedAtMs: nowMs, waits, connections };
}

/** What held at this moment. */
function held(edges: Edges, atMs: number): Edges {
  const then = [...edges].map(([gid, all]) => {
    const some = all.filter((edge) => edge.firstAtMs <= atMs && atMs <= edge.confirmedAtMs);
    return [gid, some] as const;
  });
  return new Map(then);
}

/** Whatever held together did so when the last of it was first said. The newest first, so many at most. */
function momentsOf(edges: Edges): readonly number[] {
  const moments = new Set([...edges.values()].flat().map(({ firstAtMs }) => firstAtMs));
  return [...moments].sort((one, other) => other - one).slice(0, momentsMax);
}

const momentsMax = 64;

/**
 * Only those gids that may be in a cycle. Most waits are queues, which have an end: who leads to
 * nothing but ends is taken out, so a long queue costs as much as it is long.
 */
function inCycles(all: Edges): Edges {
  const waiters = new Map<Gid, Gid[]>();
  const left = new Map<Gid, number>();
  for (const [gid, edges] of all) {
    left.set(gid, edges.length);
    for (const { to } of edges) push(waiters, to, gid);
  }
  const ends = [...new Set([...all.keys(), ...waiters.keys()])].filter((gid) => !left.get(gid));
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
    left.delete(end);
    for (const waiter of waiters.get(end) ?? []) {
      const count = (left.get(waiter) ?? 0) - 1;
      left.set(waiter, count);
      if (count === 0) ends.push(waiter);
    }
  }
  return new Map([...all].filter(([gid]) => left.has(gid)));
}

/**
 * The first edge of a cycle that leads from this gid, by elder ones only, back to it; null: there is
 * none. Without recursion, for a cycle may be as long as there are gids.
 */
function firstOfCycle(from: Gid, edges: Edges, isElder: (other: Gid) => boolean): Edge | null {
  const seen = new Set<Gid>([from]);
  for (const first of edges.get(from) ?? []) {
    const ahead = [first.to];
    for (let gid = ahead.pop(); gid !== undefined; gid = ahead.pop()) {
      if (gid === from) return first;
      if (seen.has(gid) || !isElder(gid)) continue;
      seen.add(gid);
      for (const { to } of edges.get(gid) ?? []) ahead.push(to);
    }
  }
  return null;
}
