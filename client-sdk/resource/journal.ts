/**
 * What a local transaction has done so far: the steps of its rows, the savepoints among them, and
 * whether a statement has failed. Memory only; the statements are sent elsewhere. Invariant: the
 * steps are those of statements that still count, in their order.
 */
import { SettleError } from '../errors.ts';
import { limits } from '../protocol/index.ts';
import type { Step } from './image.ts';

/** A statement that failed, or a reason why nothing may be committed any more. */
export interface Failure {
  readonly error: unknown;
}

/** A point to go back to. */
export interface Savepoint {
  readonly name: string;
  /** Steps that were there when it was set. */
  readonly steps: number;
  /** What had failed by then: going back to it does not heal that. */
  readonly failure: Failure | null;
}

/** Of one local transaction. */
export class Journal {
  readonly #steps: Step[] = [];
  readonly #savepoints: Savepoint[] = [];
  #failure: Failure | null = null;
  #isFree = true;
  /** Whether guards know whose local transaction this is; what was said since a savepoint goes with it. */
  hasPass = false;

  get steps(): readonly Step[] {
    return this.#steps;
  }

  get failure(): Failure | null {
    return this.#failure;
  }

  /** The savepoint that stands for the user's own `begin`, when there is one. */
  get begun(): Savepoint | undefined {
    return this.#savepoints[0];
  }

  /** A name that none of its savepoints has. */
  get nextName(): string {
    return `settle_${this.#savepoints.length}`;
  }

  /** Whether nothing has failed and nobody else can have undo rows on any of its rows, see `Written`. */
  get isFree(): boolean {
    return this.#isFree && this.#failure === null;
  }

  /** Throws LIMIT_EXCEEDED past 4,096 steps: their images are in memory until the commit. */
  add(steps: readonly Step[], isFree: boolean): void {
    if (this.#steps.length + steps.length > limits.undoRowsMax) {
      const detail = `one local transaction changes at most ${limits.undoRowsMax} rows`;
      throw new SettleError('LIMIT_EXCEEDED', detail);
    }
    this.#steps.push(...steps);
    if (steps.length > 0 && !isFree) this.#isFree = false;
  }

  /** Nothing may be committed from now on. The first reason stays. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /** Throws what has failed. */
  refuseFailed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  mark(name: string): void {
    this.#savepoints.push({ name, steps: this.#steps.length, failure: this.#failure });
  }

  /** What came after the savepoint never was. */
  heal(name: string): void {
    this.hasPass = false;
    const at = this.#indexOf(name);
    const savepoint = this.#savepoints[at];
    if (savepoint === undefined) return;
    this.#savepoints.length = at + 1;
    this.#steps.length = savepoint.steps;
    this.#failure = savepoint.failure;
  }

  /** What came after the savepoint stays; the one of the user's `begin` cannot be released. */
  release(name: string): void {
    const at = this.#indexOf(name);
    if (at > 0) this.#savepoints.length = at;
  }

  /** The user's own transaction has ended. */
  forgetSavepoints(): void {
    this.#savepoints.length = 0;
  }

  /** All of it is durable, or was taken back: nothing has been done since. */
  clear(): void {
    this.hasPass = false;
    this.#steps.length = 0;
    this.#savepoints.length = 0;
    this.#failure = null;
    this.#isFree = true;
  }

  /** The newest one: an older one of the same name is what the name means after its release. */
  #indexOf(name: string): number {
    return this.#savepoints.findLastIndex((savepoint) => savepoint.name === name);
  }
}
