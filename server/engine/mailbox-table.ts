/**
 * The mailboxes that are in memory, by gid: a hash table whose entries are the mailboxes themselves.
 * A `Map` keeps ended transactions alive until the next full collection (see runtime/chain.ts).
 */
import type { Gid } from '../../client-sdk/protocol/index.ts';
import { gidHash } from '../log/log.ts';
import type { Mailbox } from './mailbox.ts';

const sizeMin = 1_024;

/** Mailboxes by gid, each at most once. */
export class MailboxTable {
  #buckets: (Mailbox | null)[] = new Array(sizeMin).fill(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(gid: Gid): Mailbox | undefined {
    let mailbox = this.#buckets[this.#bucketOf(gidHash(gid))] ?? null;
    while (mailbox !== null && mailbox.gid !== gid) mailbox = mailbox.nextInBucket;
    return mailbox ?? undefined;
  }

  /** Adds a mailbox; its gid must not be there. */
  add(mailbox: Mailbox): void {
    if (this.#size >= this.#buckets.length) this.#resize(this.#buckets.length * 2);
    this.#put(mailbox);
    this.#size += 1;
  }

  /** Takes the mailbox out; false when it is not there (another one of its gid may be). */
  delete(mailbox: Mailbox): boolean {
    const at = this.#bucketOf(mailbox.hash);
    let before: Mailbox | null = null;
    let found = this.#buckets[at] ?? null;
    while (found !== null && found !== mailbox) {
      before = found;
      found = found.nextInBucket;
    }
    if (found === null) return false;
    if (before === null) this.#buckets[at] = mailbox.nextInBucket;
    else before.nextInBucket = mailbox.nextInBucket;
    mailbox.nextInBucket = null;
    this.#size -= 1;
    return true;
  }

  /** All of them, in no order; a copy. */
  values(): readonly Mailbox[] {
    const all: Mailbox[] = [];
    for (const first of this.#buckets) {
      for (let mailbox = first; mailbox !== null; mailbox = mailbox.nextInBucket) all.push(mailbox);
    }
    return all;
  }

  clear(): void {
    for (const mailbox of this.values()) mailbox.nextInBucket = null;
    this.#buckets = new Array(sizeMin).fill(null);
    this.#size = 0;
  }

  #bucketOf(hash: number): number {
    return hash & (this.#buckets.length - 1);
  }

  #put(mailbox: Mailbox): void {
    const at = this.#bucketOf(mailbox.hash);
    mailbox.nextInBucket = this.#buckets[at] ?? null;
    this.#buckets[at] = mailbox;
  }

  #resize(length: number): void {
    const all = this.values();
    this.#buckets = new Array(length).fill(null);
    for (const mailbox of all) this.#put(mailbox);
  }
}
