/** Time-outs by ticks: exact enough, one timer, and not fooled by a wall clock that jumps. */
import { describe, expect, test } from 'vitest';
import { Deadlines, type Due } from '../../server/dispatch/deadlines.ts';
import type { Clock } from '../../server/runtime/clock.ts';

interface Item extends Due<Item> {
  readonly name: string;
}

/** A clock whose times are moved by hand; the wall says nothing useful. */
class HandClock implements Clock {
  passedMs = 1_000_003;
  armed: (() => void) | null = null;
  nowMs = (): number => {
    throw new Error('the wall clock may jump');
  };
  monotonicMs = (): number => this.passedMs;
  soon = (callback: () => void): void => callback();
  after = (_delayMs: number, callback: () => void): (() => void) => {
    if (this.armed !== null) throw new Error('more than one timer');
    this.armed = callback;
    return () => {
      this.armed = null;
    };
  };

  /** So much time passes, then the timer fires. */
  fire(afterMs: number): void {
    this.passedMs += afterMs;
    const { armed } = this;
    this.armed = null;
    armed?.();
  }
}

const newItem = (name: string): Item => ({
  name,
  dueTick: 0,
  chain: null,
  before: null,
  after: null,
});

function start() {
  const clock = new HandClock();
  const expired: string[] = [];
  const deadlines = new Deadlines<Item>(clock, (item) => expired.push(item.name));
  const add = (name: string, timeoutMs: number): Item => {
    const item = newItem(name);
    deadlines.add(item, timeoutMs);
    return item;
  };
  return { clock, expired, deadlines, add };
}

describe('deadlines', () => {
  test('come in the order in which they are due, whatever the order of adding', () => {
    const { clock, expired, add } = start();
    add('c', 30);
    add('a', 10);
    add('b', 20);
    clock.fire(17);
    expect(expired).toEqual(['a']);
    clock.fire(10);
    clock.fire(10);
    expect(expired).toEqual(['a', 'b', 'c']);
  });

  test('arm one timer while something waits, and none when nothing does', () => {
    const { clock, deadlines, add } = start();
    expect(clock.armed).toBeNull();
    const item = add('a', 50);
    add('b', 10);
    clock.fire(20);
    expect(clock.armed).not.toBeNull();
    deadlines.delete(item);
    deadlines.delete(item);
    clock.fire(10);
    expect(clock.armed).toBeNull();
  });

  test('follow the clock when the timer is late', () => {
    const { clock, expired, add } = start();
    add('a', 500);
    clock.fire(499);
    expect(expired).toEqual([]);
    clock.fire(10);
    expect(expired).toEqual(['a']);
  });

  test('lose nothing when each tick is a little late or early', () => {
    const { clock, expired, add } = start();
    add('a', 1_000);
    for (let i = 0; i < 66; i += 1) clock.fire(i % 2 === 0 ? 9 : 21);
    expect(expired).toEqual([]);
    clock.fire(20);
    expect(expired).toEqual(['a']);
  });

  test('are never early and at most a tick late, whenever they begin', () => {
    for (let offsetMs = 0; offsetMs < 20; offsetMs += 1) {
      const { clock, expired, add } = start();
      add('other', 5_000);
      clock.passedMs += offsetMs;
      add('a', 100);
      clock.fire(99);
      expect(expired).toEqual([]);
      clock.fire(11);
      expect(expired).toEqual(['a']);
    }
  });

  test('of no length end with the next tick', () => {
    const { clock, expired, add } = start();
    clock.passedMs = 1_000_000;
    add('a', 0);
    expect(expired).toEqual([]);
    clock.fire(10);
    expect(expired).toEqual(['a']);
  });

  test('begin anew after a pause without any', () => {
    const { clock, expired, add } = start();
    add('a', 10);
    clock.fire(20);
    clock.passedMs += 3_600_000;
    add('b', 100);
    clock.fire(50);
    expect(expired).toEqual(['a']);
    clock.fire(60);
    expect(expired).toEqual(['a', 'b']);
  });

  test('may add and remove others while they expire', () => {
    const clock = new HandClock();
    const expired: string[] = [];
    const deadlines = new Deadlines<Item>(clock, (item) => {
      expired.push(item.name);
      if (item.name !== 'a') return;
      deadlines.delete(second);
      deadlines.delete(third);
      deadlines.add(third, 10);
    });
    const [first, second, third] = ['a', 'b', 'c'].map(newItem) as [Item, Item, Item];
    for (const item of [first, second, third]) deadlines.add(item, 10);
    clock.fire(20);
    expect(expired).toEqual(['a']);
    clock.fire(20);
    expect(expired).toEqual(['a', 'c']);
    expect(clock.armed).toBeNull();
  });

  test('are forgotten by clear', () => {
    const { clock, expired, deadlines, add } = start();
    add('a', 10);
    deadlines.clear();
    expect(clock.armed).toBeNull();
    expect(expired).toEqual([]);
  });
});
