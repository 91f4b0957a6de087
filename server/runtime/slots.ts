/**
 * Things that wait for an answer, by a number that the answer will name. An array instead of a `Map`:
 * see chain.ts for why. A number is never given twice, so a late answer finds nobody.
 */

/** Slots of one table; the rest of a number counts how often its slot was used. */
const slotsMax = 2 ** 22;

interface Slot<T> {
  id: number;
  item: T | null;
}

/** At most 4,194,303 items at once; 2^31 uses of each slot. */
export class Slots<T> {
  readonly #slots: Slot<T>[] = [];
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Keeps the item; gives its number, from 1 on. Throws when the table is full. */
  add(item: T): number {
    const at = this.#free.pop() ?? this.#slots.length;
    if (at >= slotsMax - 1) throw new Error('too many things wait for an answer');
    const slot = this.#slots[at];
    this.#size += 1;
    if (slot === undefined) {
      this.#slots.push({ id: at + 1, item });
      return at + 1;
    }
    slot.id += slotsMax;
    slot.item = item;
    return slot.id;
  }

  /** The item with this number; null when it was taken out, or never was. */
  get(id: number): T | null {
    const slot = this.#slots[(id % slotsMax) - 1];
    return slot?.id === id ? slot.item : null;
  }

  /** Takes the item with this number out. */
  delete(id: number): boolean {
    const at = (id % slotsMax) - 1;
    const slot = this.#slots[at];
    if (slot?.id !== id || slot.item === null) return false;
    slot.item = null;
    this.#free.push(at);
    this.#size -= 1;
    return true;
  }

  /** What is in it now. */
  items(): T[] {
    return this.#slots.flatMap(({ item }) => (item === null ? [] : [item]));
  }
}
