/**
 * A queue whose items are its own links: adding, and taking out of the middle, cost a few writes.
 * It is here because of the garbage collector: a `Set` or `Map` that lives long while its items come
 * and go is copied into a new table again and again, and each old table keeps the next one alive,
 * and with it the items of that moment, until the next full collection. That doubled the cost of a
 * transaction.
 */

/** What an item must have. Only {@link Chain} touches these. */
export interface Linked<T> {
  /** The {@link Chain} it stands in; null outside. */
  chain: Leavable<T> | null;
  before: T | null;
  after: T | null;
}

/** What an item knows of the chain that it stands in. */
export interface Leavable<T> {
  delete(item: T): boolean;
}

/** Items in the order in which they were added, each at most once. */
export class Chain<T extends Linked<T>> implements Leavable<T> {
  #first: T | null = null;
  #last: T | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest item. */
  get first(): T | null {
    return this.#first;
  }

  /** Puts the item at the end; it must stand in no chain. */
  add(item: T): void {
    item.chain = this;
    item.before = this.#last;
    item.after = null;
    if (this.#last === null) this.#first = item;
    else this.#last.after = item;
    this.#last = item;
    this.#size += 1;
  }

  /** All of them, oldest first; a copy. */
  items(): readonly T[] {
    const items: T[] = [];
    for (let item = this.#first; item !== null; item = item.after) items.push(item);
    return items;
  }

  /** Takes the item out, if it stands here. */
  delete(item: T): boolean {
    if (item.chain !== this) return false;
    const { before, after } = item;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    item.chain = null;
    item.before = null;
    item.after = null;
    this.#size -= 1;
    return true;
  }
}
