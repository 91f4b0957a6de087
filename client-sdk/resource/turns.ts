/**
 * Who may use the one local transaction that a resource has in a scope. A user's `begin … commit`
 * inside of it keeps the others out, for a savepoint cannot tell whose statements it takes back.
 * Statements outside of one take turns.
 */
import { SettleError } from '../errors.ts';

/** Whose statement it is: the object that the user got from his pool, or null for the pool itself. */
export type Owner = object | null;

interface Turn {
  readonly owner: Owner;
  readonly start: () => Promise<void>;
  readonly refuse: () => void;
  /** Runs while somebody else holds the transaction. */
  timer: NodeJS.Timeout | null;
}

/**
 * Turns, in the order of asking; one at a time. Also the holder's: a statement may take several round
 * trips, and what its owner sends meanwhile must not come in between.
 */
export class Turns {
  readonly #waitMsMax: number;
  readonly #waiting: Turn[] = [];
  #isRunning = false;
  #holder: Owner = null;
  /** Of those who wait until nothing runs. */
  #idle: PromiseWithResolvers<void> | null = null;

  constructor(waitMsMax: number) {
    this.#waitMsMax = waitMsMax;
  }

  /** Whether somebody keeps the others out. */
  get isHeld(): boolean {
    return this.#holder !== null;
  }

  /** Runs the work when all work before it has ended and nobody else holds the transaction. */
  run<T>(owner: Owner, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const start = (): Promise<void> => work().then(resolve, reject);
      const refuse = (): void => reject(new SettleError('LOCK_CONFLICT', heldTooLong));
      this.#waiting.push({ owner, start, refuse, timer: null });
      this.#next();
    });
  }

  /** From now on only this owner has turns. Call it inside of a turn of its own. */
  hold(owner: object): void {
    this.#holder = owner;
  }

  /** The others go on. Does nothing when it does not hold. */
  free(owner: object): void {
    if (this.#holder === owner) this.freeAll();
  }

  /** As {@link free}, whoever holds. */
  freeAll(): void {
    this.#holder = null;
    this.#next();
  }

  isHeldBy(owner: Owner): boolean {
    return owner !== null && this.#holder === owner;
  }

  /** Resolves when nothing runs, and nothing waits but for the holder to free the transaction. */
  async idle(): Promise<void> {
    if (!this.#isRunning) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  #next(): void {
    if (this.#isRunning) return;
    const holder = this.#holder;
    const at = this.#waiting.findIndex(({ owner }) => holder === null || owner === holder);
    const turn = this.#waiting[at];
    // Whoever was passed over waits for the holder, and that has an end.
    for (const passed of at === -1 ? this.#waiting : this.#waiting.slice(0, at)) {
      passed.timer ??= setTimeout(() => this.#refuse(passed), this.#waitMsMax);
    }
    if (turn === undefined) {
      this.#idle?.resolve();
      this.#idle = null;
      return;
    }
    this.#waiting.splice(at, 1);
    if (turn.timer !== null) clearTimeout(turn.timer);
    this.#isRunning = true;
    void turn.start().then(this.#over);
  }

  readonly #over = (): void => {
    this.#isRunning = false;
    this.#next();
  };

  #refuse(turn: Turn): void {
    const at = this.#waiting.indexOf(turn);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    turn.refuse();
  }
}

const heldTooLong =
  'a local transaction of this resource is still open in the same global transaction: ' +
  'commit it, or run this statement on its connection';
