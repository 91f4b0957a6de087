/**
 * Who may use the one local transaction that a resource has in a scope. A user's `begin … commit`
 * inside of it keeps the others out, for a savepoint cannot tell whose statements it takes back.
 * Statements outside of one take turns.
 */
import { SettleError } from '../errors.ts';

/** Whose statement it is: the object that the user got from his pool, or null for the pool itself. */
export type Owner = object | null;

/** Turns, in the order of asking. */
export class Turns {
  readonly #waitMsMax: number;
  #queue: Promise<void> = Promise.resolve();
  #holder: Owner = null;
  #freed: PromiseWithResolvers<void> | null = null;

  constructor(waitMsMax: number) {
    this.#waitMsMax = waitMsMax;
  }

  /** Runs the work when all work before it has ended and nobody else holds the transaction. */
  run<T>(owner: Owner, work: () => Promise<T>): Promise<T> {
    // The holder's statements are not queued behind those that wait for the holder.
    if (this.#holder !== null && owner === this.#holder) return work();
    const turn = this.#queue.then(() => this.#untilFree()).then(work);
    this.#queue = turn.then(nothing, nothing);
    return turn;
  }

  /** From now on only this owner has turns. Call it inside of a turn of its own. */
  hold(owner: object): void {
    this.#holder = owner;
    this.#freed = Promise.withResolvers();
  }

  /** The others go on. Does nothing when it does not hold. */
  free(owner: object): void {
    if (this.#holder !== owner) return;
    this.#holder = null;
    this.#freed?.resolve();
    this.#freed = null;
  }

  isHeldBy(owner: Owner): boolean {
    return owner !== null && this.#holder === owner;
  }

  async #untilFree(): Promise<void> {
    if (this.#freed === null) return;
    const { promise, reject } = Promise.withResolvers<never>();
    const detail =
      'a local transaction of this resource is still open in the same global transaction: ' +
      'commit it, or run this statement on its connection';
    const late = (): void => reject(new SettleError('LOCK_CONFLICT', detail));
    const timer = setTimeout(late, this.#waitMsMax);
    try {
      await Promise.race([this.#freed.promise, promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function nothing(): void {}
