/**
 * The part of the barrier's suite that leaves the order to chance: a thousand branches, each asked
 * its operations several times at once in an order drawn from a seed, with handlers that fail. The
 * effects are counted at the end: all or nothing, and each once.
 */
import { expect, it } from 'vitest';
import type { Operation } from '../../client-sdk/protocol/index.ts';
import { asking, type BarrierStore, effectsOf, insist } from './barrier.ts';

const branches = 1_000;
/** Branches under way at once: more than the connections of a pool, so that some wait for one. */
const width = 20;

interface Story {
  readonly gid: string;
  readonly forward: 'try' | 'run';
  readonly decision: 'confirm' | 'cancel' | 'undo';
  /** Asked at once, in this order. */
  readonly calls: readonly Operation[];
}

/** Registers the test inside the suite of the store. */
export function barrierInterleavings(store: () => BarrierStore): void {
  const seed = Number(process.env['SETTLE_TEST_SEED'] ?? 20_261_121);
  it(`keeps all or nothing over ${branches} random interleavings (seed ${seed})`, async () => {
    const random = randomFrom(seed);
    const stories = Array.from({ length: branches }, (_, index) => storyOf(index, random));
    const ask = asking(store(), () => {
      const draw = random();
      // After the effect was written, so that the rollback has something to take back.
      if (draw < 0.15) throw new Error('chance');
      return draw < 0.5 ? null : { draw };
    });
    for (let start = 0; start < branches; start += width) {
      const some = stories.slice(start, start + width);
      await Promise.all(some.map((story) => play(ask, story)));
    }
    const counted = await Promise.all(stories.map((story) => outcomeOf(store(), story)));
    expect(counted.filter((line) => line !== 'right')).toEqual([]);
  });
}

async function play(ask: ReturnType<typeof asking>, story: Story): Promise<void> {
  await Promise.all(story.calls.map((operation) => ask(operation, story.gid)));
  // What the coordinator goes on to do: the forward operation was answered before a confirm, or
  // given up before a cancel; the decision is asked until it is done.
  if (story.decision === 'confirm') await insist(() => ask(story.forward, story.gid));
  const end = await insist(() => ask(story.decision, story.gid));
  expect(end).toEqual({ outcome: 'done', result: null });
  // Late duplicates change nothing.
  await Promise.all(story.calls.map((operation) => ask(operation, story.gid)));
}

async function outcomeOf(store: BarrierStore, story: Story): Promise<string> {
  const effects = await effectsOf(store, story.gid);
  const whole = [story.forward, story.decision].sort().join(' ');
  const isRight = effects === whole || (effects === '' && story.decision !== 'confirm');
  return isRight ? 'right' : `${story.gid} ${story.calls.join(',')}: ${effects}`;
}

function storyOf(index: number, random: () => number): Story {
  const forward = random() < 0.6 ? 'try' : 'run';
  const backward = forward === 'try' ? 'cancel' : 'undo';
  const decision = forward === 'try' && random() < 0.5 ? 'confirm' : backward;
  const calls: Operation[] = [];
  const length = 1 + Math.floor(random() * 6);
  for (let at = 0; at < length; at += 1) calls.push(random() < 0.5 ? forward : decision);
  return { gid: `story-${index}`, forward, decision, calls };
}

/** Mulberry32: 32 bits of state, enough for a test that has to be the same every time. */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
