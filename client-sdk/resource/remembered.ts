/** What catalogues remember: findings by name, for a minute each, so that schemas may change. */

/** How long a change of the schema may stay unseen. */
const rememberedMs = 60_000;
/** Tables, or functions; the oldest goes. More than one program names. */
const rememberedMax = 1_000;

/** Values by name, each for a minute. `nowMs` never goes back. */
export class Remembered<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly untilMs: number }>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get(name: string): Value | undefined {
    const entry = this.#entries.get(name);
    return entry === undefined || this.#nowMs() >= entry.untilMs ? undefined : entry.value;
  }

  set(name: string, value: Value): void {
    this.#entries.delete(name);
    this.#entries.set(name, { value, untilMs: this.#nowMs() + rememberedMs });
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= rememberedMax) break;
      this.#entries.delete(oldest);
    }
  }
}
