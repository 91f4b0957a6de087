/** Time-outs by ticks: exact enough, cheap, and not fooled by a wall clock that jumps. */
import { describe, expect, test } from 'vitest';
import { Deadlines, type Due } from '../../server/dispatch/deadlines.ts';
import type { Clock } from '../../server/runtime/clock.ts';

interface Item extends Due {
  readonly name: string;
}

/** A clock whose wall time and timers are moved apart. */
class TornClock implements Clock {
  wallMs = 1_000_000;
  armed: (() => void) | null = null;
  nowMs = (): number => this.wallMs;
  monotonicMs = (): number => this.wallMs;
  soon = (callback: () => void): void => callback();
  after = (_delayMs: number, callback: () => void): (() => void) => {
    if (this.armed !== null) throw new Error('more than one timer');
    this.armed = callback;
    return () => {
      this.armed = null;
    };
  };

  /** The timer fires, and the wall clock says that so much has passed. */
  fire(wallPassedMs: number): void {
    this.wallMs += wallPassedMs;
    const { armed } = this;
    this.armed = null;
    armed?.();
  }
}

function start() {
  const clock = new TornClock();
  const expired: string[] = [];
  const deadlines = new Deadlines<Item>(clock, (item) => expired.push(item.name));
  const add = (name: string, timeoutMs: number): Item => {
    const item = { name, dueTick: 0 };
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
    clock.fire(10);
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
    clock.fire(10);
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
    clock.fire(1);
    expect(expired).toEqual(['a']);
  });

  test('lose nothing when each tick is a little late', () => {
    const { clock, expired, add } = start();
    add('a', 1_000);
    for (let i = 0; i < 66; i += 1) clock.fire(15);
    expect(expired).toEqual([]);
    clock.fire(15);
    expect(expired).toEqual(['a']);
  });

  test('pass by at most a second when the wall clock jumps ahead', () => {
    const { clock, expired, add } = start();
    add('a', 10_000);
    clock.fire(3_600_000);
    for (let i = 0; i < 899; i += 1) clock.fire(10);
    expect(expired).toEqual([]);
    clock.fire(10);
    expect(expired).toEqual(['a']);
  });

  test('still pass when the wall clock jumps back', () => {
    const { clock, expired, add } = start();
    add('a', 100);
    clock.fire(-3_600_000);
    for (let i = 0; i < 8; i += 1) clock.fire(10);
    expect(expired).toEqual([]);
    clock.fire(10);
    expect(expired).toEqual(['a']);
  });

  test('may add and remove others while they expire', () => {
    const clock = new TornClock();
    const expired: string[] = [];
    const deadlines = new Deadlines<Item>(clock, (item) => {
      expired.push(item.name);
      if (item.name !== 'a') return;
      deadlines.delete(second);
      deadlines.delete(third);
      deadlines.add(third, 10);
    });
    const [first, second, third] = ['a', 'b', 'c'].map((name) => ({ name, dueTick: 0 })) as [
      Item,
      Item,
      Item,
    ];
    for (const item of [first, second, third]) deadlines.add(item, 10);
    clock.fire(10);
    expect(expired).toEqual(['a']);
    clock.fire(10);
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
