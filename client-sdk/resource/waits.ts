/**
 * What the local transactions of a scope wait for at this moment: a statement for a lock of the
 * database, or the end of a transaction for the decision of another gid. Who looks at it, and when,
 * is in `waits-watch.ts`; what it costs while nobody waits is one small object per statement.
 * Invariant: once a cancel may have been sent, its connection runs nothing else before the cancel was
 * answered and has found its statement, and what was waited for counts as failed whatever it says.
 */
import { randomUUID } from 'node:crypto';
import { SettleError } from '../errors.ts';
import type { DatabaseConnection, Gid, HeldConnection } from '../protocol/index.ts';
import type { Session } from './facts.ts';

/** A statement that runs, and may wait for a lock. */
export interface StatementWait {
  readonly kind: 'statement';
  /** Unique in its scope. */
  readonly id: number;
  readonly sinceMs: number;
  readonly text: string;
  readonly source: WaitSource;
  readonly connection: DatabaseConnection | null;
  /** Ends it, if it still waits. Never throws; safe to repeat. */
  giveWay(to: Gid): void;
}

/** A wait for the decision of another gid. */
export interface DecisionWait {
  readonly kind: 'decision';
  readonly id: number;
  readonly sinceMs: number;
  readonly holder: Gid;
  /** As for {@link StatementWait}. */
  giveWay(to: Gid): void;
}

/** What is waited for. */
export type Wait = StatementWait | DecisionWait;

/** Where connections of one database are asked about, and ended. */
export interface WaitSource {
  /** By whom those statements are blocked; one that waits for nobody is left out, or has none. */
  blockers(waits: readonly StatementWait[]): Promise<ReadonlyMap<StatementWait, readonly number[]>>;
  /**
   * Ends the statement by another connection: calls `sending` just before the cancel leaves, unless
   * that says that it is over. Never throws.
   */
  cancel(wait: StatementWait, sending: () => boolean): Promise<void>;
}

/** Told when a scope has open local transactions, and when it has none. */
export interface ScopeWatch {
  enter(scope: ScopeWaits): void;
  leave(scope: ScopeWaits): void;
}

/** Of one scope. */
export class ScopeWaits {
  readonly gid: Gid;
  readonly #isElsewhere: () => boolean;
  readonly #locals = new Set<LocalWaits>();
  #openedAtMs = 0;
  #ids = 0;
  #name: string | null = null;
  #looks = 0;

  /** `isElsewhere`: whether other processes may work for this gid, too. */
  constructor(gid: Gid, isElsewhere: () => boolean) {
    this.gid = gid;
    this.#isElsewhere = isElsewhere;
  }

  /** A local transaction is open on this connection; null: nobody knows which one it is. */
  open(watch: ScopeWatch, ports: LocalWaitsPorts): LocalWaits {
    const local = new LocalWaits(this, ports, () => {
      this.#locals.delete(local);
      if (this.#locals.size === 0) watch.leave(this);
    });
    if (this.#locals.size === 0) {
      this.#openedAtMs = performance.now();
      watch.enter(this);
    }
    this.#locals.add(local);
    return local;
  }

  nextId(): number {
    this.#ids += 1;
    return this.#ids;
  }

  /** Each report of this scope has its name, and the number of the look at it. */
  nextLook(): { readonly scope: string; readonly look: number } {
    this.#name ??= randomUUID();
    this.#looks += 1;
    return { scope: this.#name, look: this.#looks };
  }

  /** A report of it may still be on its way: later ones are those of another scope. */
  rename(): void {
    this.#name = null;
  }

  /** Waits that began by then. */
  waitsSince(sinceMs: number): readonly Wait[] {
    const all = [...this.#locals].flatMap((local) => [...local.waits]);
    return all.filter((wait) => wait.sinceMs <= sinceMs);
  }

  /** Whether others may wait for what it has, while it waits for something that is not seen here. */
  mayWaitElsewhere(sinceMs: number): boolean {
    return this.#openedAtMs <= sinceMs && this.#isElsewhere();
  }

  /** Its local transactions that are open on connections with a name. */
  held(nowMs: number): readonly HeldConnection[] {
    return [...this.#locals].flatMap(({ ports, openedAtMs, waits }) => {
      const { connection, resource } = ports;
      if (connection === null) return [];
      const holders = [...waits].flatMap((wait) => (wait.kind === 'decision' ? wait.holder : []));
      const openMs = Math.round(nowMs - openedAtMs);
      return { ...connection, resource, gid: this.gid, openMs, awaits: [...new Set(holders)] };
    });
  }

  get connections(): readonly DatabaseConnection[] {
    return [...this.#locals].flatMap(({ ports }) => ports.connection ?? []);
  }
}

/** What a local transaction's waits need. */
export interface LocalWaitsPorts {
  readonly source: WaitSource;
  readonly session: Session;
  /** As its resource is called. */
  readonly resource: string;
  /** Null: nothing that it waits for is known. */
  readonly connection: DatabaseConnection | null;
}

/** Of one local transaction. */
export class LocalWaits {
  readonly waits = new Set<Wait>();
  readonly ports: LocalWaitsPorts;
  readonly openedAtMs = performance.now();
  readonly #scope: ScopeWaits;
  readonly #closed: () => void;
  /** Resolves when no cancel of ours can reach the connection any more; null: there was none. */
  #calm: Promise<void> | null = null;

  constructor(scope: ScopeWaits, ports: LocalWaitsPorts, closed: () => void) {
    this.#scope = scope;
    this.ports = ports;
    this.#closed = closed;
  }

  /**
   * Runs one statement of this text. LOCK_CONFLICT when it gave way: then it counts as failed, also
   * when it had just succeeded.
   */
  async run<T>(text: string, send: () => Promise<T>): Promise<T> {
    const statement = new Statement(this.ports, { id: this.#scope.nextId(), text });
    statement.touched = (calm) => {
      this.#calm = calm;
    };
    this.waits.add(statement);
    const outcome = await settled(send);
    this.waits.delete(statement);
    const to = await statement.over();
    if (to !== null) throw gaveWay(this.#scope.gid, to, outcome.isDone ? undefined : outcome.error);
    if (outcome.isDone) return outcome.value;
    throw outcome.error;
  }

  /** Works while this gid is not decided; the signal aborts when that is to be given up. */
  async decision<T>(holder: Gid, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { gid } = this.#scope;
    const controller = new AbortController();
    const wait: DecisionWait = {
      kind: 'decision',
      id: this.#scope.nextId(),
      sinceMs: performance.now(),
      holder,
      giveWay: (to) => controller.abort(gaveWay(gid, to)),
    };
    this.waits.add(wait);
    try {
      return await work(controller.signal);
    } finally {
      this.waits.delete(wait);
    }
  }

  /** The local transaction is over: `release` is called when no cancel of ours can come any more. */
  close(release: () => void): void {
    this.#closed();
    if (this.#calm === null) release();
    else void this.#calm.then(release);
  }
}

type Outcome<T> =
  | { readonly isDone: true; readonly value: T }
  | { readonly isDone: false; readonly error: unknown };

async function settled<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { isDone: true, value: await work() };
  } catch (error) {
    return { isDone: false, error };
  }
}

/** One statement, from when it was sent to when nothing can hit it any more. */
class Statement implements StatementWait {
  readonly kind = 'statement';
  readonly id: number;
  readonly sinceMs = performance.now();
  readonly text: string;
  /** Told, before the first cancel, what to wait for before the connection is given to others. */
  touched: (calm: Promise<void>) => void = nothing;
  readonly #ports: LocalWaitsPorts;
  #isOver = false;
  /** To whom it gives way, since a cancel may have been sent. */
  #to: Gid | null = null;
  #cancelling: Promise<void> | null = null;
  #calm: PromiseWithResolvers<void> | null = null;

  constructor(
    ports: LocalWaitsPorts,
    { id, text }: { readonly id: number; readonly text: string },
  ) {
    this.#ports = ports;
    this.id = id;
    this.text = text;
  }

  get source(): WaitSource {
    return this.#ports.source;
  }

  get connection(): DatabaseConnection | null {
    return this.#ports.connection;
  }

  giveWay(to: Gid): void {
    if (this.#isOver || this.#cancelling !== null) return;
    if (this.#calm === null) {
      this.#calm = Promise.withResolvers();
      this.touched(this.#calm.promise);
    }
    const sending = (): boolean => {
      if (this.#isOver) return false;
      this.#to ??= to;
      return true;
    };
    this.#cancelling = this.source.cancel(this, sending).finally(() => {
      this.#cancelling = null;
    });
  }

  /** It has ended. Answers to whom it gave way; null: it was let alone. */
  async over(): Promise<Gid | null> {
    this.#isOver = true;
    if (this.#calm === null) return null;
    await this.#cancelling;
    // A cancel that was answered may still be on its way to the session: it finds this, and no other.
    if (this.#to !== null) await this.#ports.session.query('select 1').catch(nothing);
    this.#calm.resolve();
    return this.#to;
  }
}

function gaveWay(gid: Gid, to: Gid, cause?: unknown): SettleError {
  const detail =
    `${gid} gave way to ${to}: each waited for what the other one holds, perhaps through others ` +
    'and in several databases, and it is the younger one';
  return new SettleError('LOCK_CONFLICT', detail, { gid, cause });
}

function nothing(): void {}
