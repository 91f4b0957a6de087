/** The containers of the hot path, against what plain Maps and Sets would hold. */
import { describe, expect, test } from 'vitest';
import { createMailbox, type Mailbox } from '../../server/engine/mailbox.ts';
import { MailboxTable } from '../../server/engine/mailbox-table.ts';
import { Chain, type Linked } from '../../server/runtime/chain.ts';
import { seededRandom } from '../../server/runtime/random.ts';
import { Slots } from '../../server/runtime/slots.ts';

interface Item extends Linked<Item> {
  readonly name: number;
}

const newItem = (name: number): Item => ({ name, chain: null, before: null, after: null });

/** Empties the chain from its front. */
function drained(chain: Chain<Item>): number[] {
  const names: number[] = [];
  for (let item = chain.first; item !== null; item = chain.first) {
    names.push(item.name);
    chain.delete(item);
  }
  return names;
}

describe('a chain', () => {
  test('keeps the order, whatever is taken out of its middle', () => {
    const random = seededRandom(7);
    const chain = new Chain<Item>();
    const model = new Set<Item>();
    const items = Array.from({ length: 60 }, (_, i) => newItem(i));
    for (let i = 0; i < 5_000; i += 1) {
      const item = items[Math.floor(random.next() * items.length)] as Item;
      if (model.has(item)) {
        expect(chain.delete(item)).toBe(true);
        model.delete(item);
      } else {
        chain.add(item);
        model.add(item);
      }
      expect(chain.size).toBe(model.size);
    }
    expect(drained(chain)).toEqual([...model].map((item) => item.name));
    expect(items.every((item) => item.before === null && item.after === null)).toBe(true);
  });

  test('does not take out what stands in another one', () => {
    const [one, other] = [new Chain<Item>(), new Chain<Item>()];
    const item = newItem(1);
    one.add(item);
    expect(other.delete(item)).toBe(false);
    expect(one.first).toBe(item);
  });
});

describe('slots', () => {
  test('find what waits by its number, and nobody by a number that is over', () => {
    const slots = new Slots<string>();
    const first = slots.add('a');
    const second = slots.add('b');
    expect(slots.delete(first)).toBe(true);
    expect(slots.delete(first)).toBe(false);
    const third = slots.add('c');
    expect(new Set([first, second, third]).size).toBe(3);
    expect(slots.get(first)).toBeNull();
    expect(slots.get(second)).toBe('b');
    expect(slots.get(third)).toBe('c');
    expect(slots.items().sort()).toEqual(['b', 'c']);
    expect(slots.size).toBe(2);
  });

  test('are not fooled by numbers that no participant may give', () => {
    const slots = new Slots<string>();
    slots.add('a');
    for (const id of [0, 2, 2 ** 22, 2 ** 22 + 1, Number.MAX_SAFE_INTEGER]) {
      expect(slots.get(id)).toBeNull();
      expect(slots.delete(id)).toBe(false);
    }
    expect(slots.size).toBe(1);
  });
});

describe('the table of mailboxes', () => {
  test('finds each by its gid, through growth and removal', () => {
    const table = new MailboxTable();
    const model = new Map<string, Mailbox>();
    for (let i = 0; i < 5_000; i += 1) {
      const mailbox = createMailbox(`gid-${i}`, 'ready');
      table.add(mailbox);
      model.set(mailbox.gid, mailbox);
      if (i % 3 !== 0) continue;
      const gone = model.get(`gid-${i / 3}`);
      if (gone !== undefined) expect(table.delete(gone)).toBe(model.delete(gone.gid));
    }
    expect(table.size).toBe(model.size);
    for (const [gid, mailbox] of model) expect(table.get(gid)).toBe(mailbox);
    expect(table.get('gid-0')).toBeUndefined();
    expect(new Set(table.values())).toEqual(new Set(model.values()));
    table.clear();
    expect(table.size).toBe(0);
    expect(table.get('gid-4999')).toBeUndefined();
  });

  test('does not remove one mailbox for another of the same gid', () => {
    const table = new MailboxTable();
    const mailbox = createMailbox('g', 'ready');
    table.add(mailbox);
    expect(table.delete(createMailbox('g', 'ready'))).toBe(false);
    expect(table.get('g')).toBe(mailbox);
  });
});
