/**
 * Looks at what the transactions of this process wait for, and tells the coordinator, which alone
 * sees cycles over several databases. Nothing is asked or told for a wait of less than 100 ms, and
 * whatever fails here is left alone: time-outs end every wait in the end.
 */
import type { Channel } from '../channel/channel.ts';
import { runInScope } from '../context.ts';
import type { Logger } from '../logger.ts';
import {
  askedConnectionsMax,
  type CallAnswer,
  type DatabaseConnection,
  type HoldersAnswer,
  type HoldersQuestion,
  type Json,
  limits,
  type ReportWaitsAnswer,
  type ReportWaitsRequest,
} from '../protocol/index.ts';
import type { ScopeWaits, ScopeWatch, StatementWait, WaitSource } from './waits.ts';

/** What a watch needs. */
export interface WaitWatchPorts {
  readonly channel: Pick<Channel, 'request'>;
  readonly logger: Logger;
}

/** A wait this long may be part of a deadlock; most are over by then. */
const suspectAfterMs = 100;
const lookEveryMs = 150;
/** For what a database, or the coordinator, is asked about waits. */
const answerMsMax = 500;
/** Scopes of one look, the oldest first: a process with more of them waits for something else. */
const scopesMax = 256;
/**
 * Blockers of one wait. In a queue they wait for each other, and say so themselves; of many that share
 * a lock those go who can, and what is left is the deadlock.
 */
const blockersMax = 16;
/** After a coordinator that refuses: an older one does not know the question. */
const restMs = 10_000;

type Blockers = ReadonlyMap<StatementWait, readonly number[]>;

/** All scopes of one client. One timer for all of them, while there are any. */
export class WaitWatch implements ScopeWatch {
  readonly #ports: WaitWatchPorts;
  /** In the order in which they have opened. */
  readonly #scopes = new Set<ScopeWaits>();
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;
  #restsUntilMs = 0;

  constructor(ports: WaitWatchPorts) {
    this.#ports = ports;
  }

  enter(scope: ScopeWaits): void {
    this.#scopes.add(scope);
    if (this.#timer !== null) return;
    this.#timer = runInScope(undefined, () => setInterval(this.#tick, lookEveryMs));
    this.#timer.unref();
  }

  leave(scope: ScopeWaits): void {
    this.#scopes.delete(scope);
  }

  /** Answers the question `holders` from what is in memory. */
  holders(payload: Json): CallAnswer {
    const asked = connectionsIn(payload);
    if (asked === null) return { outcome: 'refused', error: 'the question is not understood' };
    const nowMs = performance.now();
    const held = [...this.#scopes].flatMap((scope) =>
      scope.held(nowMs).filter(({ database, id }) => asked.has(`${database} ${id}`)),
    );
    const answer: HoldersAnswer = { held: held.slice(0, askedConnectionsMax) };
    // It is made of texts, numbers and lists.
    return { outcome: 'done', result: answer as unknown as Json };
  }

  readonly #tick = (): void => {
    if (this.#scopes.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
      return;
    }
    const nowMs = performance.now();
    if (this.#isLooking || nowMs < this.#restsUntilMs) return;
    this.#isLooking = true;
    void this.#look(nowMs - suspectAfterMs).finally(() => {
      this.#isLooking = false;
    });
  };

  /** Never rejects. */
  async #look(sinceMs: number): Promise<void> {
    const due: ScopeWaits[] = [];
    for (const scope of this.#scopes) {
      const isDue = scope.waitsSince(sinceMs).length > 0 || scope.mayWaitElsewhere(sinceMs);
      if (isDue && due.push(scope) === scopesMax) break;
    }
    if (due.length === 0) return;
    const blockers = await blockersOf(due.flatMap((scope) => scope.waitsSince(sinceMs)));
    await Promise.all(due.map((scope) => this.#report(scope, sinceMs, blockers)));
  }

  async #report(scope: ScopeWaits, sinceMs: number, blockers: Blockers): Promise<void> {
    const request = requestOf(scope, sinceMs, blockers);
    if (request === null) return;
    try {
      const { giveWay } = await this.#ask(request);
      if (giveWay === null) return;
      const wait = scope.waitsSince(sinceMs).find(({ id }) => id === giveWay.wait);
      wait?.giveWay(giveWay.to);
    } catch (error) {
      // It may come late, and must not be taken for one of those that were answered.
      scope.rename();
      this.#restsUntilMs = Math.max(this.#restsUntilMs, restOf(error));
      this.#ports.logger.debug({ gid: scope.gid, error }, 'waits could not be reported');
    }
  }

  #ask(request: ReportWaitsRequest): Promise<ReportWaitsAnswer> {
    return this.#ports.channel.request('reportWaits', request, { timeoutMs: answerMsMax });
  }
}

/** Null: it is no such question. */
function connectionsIn(payload: Json): ReadonlySet<string> | null {
  const { connections } = (payload ?? {}) as Partial<HoldersQuestion>;
  if (!Array.isArray(connections) || connections.length > askedConnectionsMax) return null;
  return new Set(
    connections.map((one: Partial<DatabaseConnection> | null) => `${one?.database} ${one?.id}`),
  );
}

function restOf(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'INVALID_REQUEST' ? performance.now() + restMs : 0;
}

/** Null: nothing of it can be part of a cycle. */
function requestOf(
  scope: ScopeWaits,
  sinceMs: number,
  blockers: Blockers,
): ReportWaitsRequest | null {
  const all = scope.waitsSince(sinceMs);
  const holders = all.flatMap((wait) =>
    wait.kind === 'decision' ? { id: wait.id, gid: wait.holder } : [],
  );
  const waits = all.flatMap((wait) => {
    if (wait.kind === 'decision' || wait.connection === null) return [];
    const ids = blockers.get(wait)?.slice(0, blockersMax) ?? [];
    const { database } = wait.connection;
    return ids.length === 0 ? [] : { id: wait.id, database, blockers: ids };
  });
  if (waits.length + holders.length === 0 && !scope.mayWaitElsewhere(sinceMs)) return null;
  return {
    gid: scope.gid,
    ...scope.nextLook(),
    waits: waits.slice(0, limits.waitsMax),
    holders: holders.slice(0, limits.waitsMax),
    connections: scope.connections.slice(0, limits.waitsMax),
  };
}

/** Each database is asked once for all that wait in it. Who does not answer in time is left out. */
async function blockersOf(waits: readonly { readonly kind: string }[]): Promise<Blockers> {
  const bySource = Map.groupBy(waits.filter(isStatement), ({ source }) => source);
  const answers = await Promise.all([...bySource].map(([source, some]) => inTime(source, some)));
  return new Map(answers.flatMap((answer) => [...answer]));
}

function isStatement(wait: { readonly kind: string }): wait is StatementWait {
  return wait.kind === 'statement';
}

async function inTime(source: WaitSource, waits: readonly StatementWait[]): Promise<Blockers> {
  const { promise, resolve } = Promise.withResolvers<Blockers>();
  const timer = setTimeout(() => resolve(new Map()), answerMsMax);
  try {
    return await Promise.race([source.blockers(waits), promise]);
  } finally {
    clearTimeout(timer);
  }
}
