/**
 * Random stories from a seed: a transaction or a saga, then any event at any time (also foolish
 * ones), crashes that lose what they may, and at the end participants that answer. The world checks
 * every invariant after each event.
 */
import { strict as assert } from 'node:assert';
import type { BranchSpec, Json, StepSpec } from '../../client-sdk/protocol/index.ts';
import type { OperationResult } from '../../server/core/event.ts';
import type { Transaction } from '../../server/core/transaction.ts';
import { seededRandom } from '../../server/runtime/random.ts';
import {
  crash,
  createWorld,
  type EventBody,
  losable,
  owed,
  restore,
  take,
  type World,
} from './world.ts';

/** What has happened, so that a test can tell that the generator is not lame. */
export interface Ending {
  readonly mode: Transaction['mode'];
  readonly phase: Transaction['phase'];
  readonly events: number;
  /** Records that crashes took. */
  readonly lost: number;
}

interface Dice {
  /** An integer in 0 .. below-1. */
  below(below: number): number;
  chance(probability: number): boolean;
  oneOf<const T>(items: readonly [T, ...T[]]): T;
}

/** Plays the story of a seed to its end. Throws when an invariant breaks or it does not end. */
export function playRandomStory(seed: number): Ending {
  const dice = createDice(seed);
  const world = createWorld();
  take(world, dice.chance(0.5) ? randomBegin(dice) : randomSubmit(dice));
  const turns = 5 + dice.below(30);
  let lost = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    world.nowMs += dice.below(1_000);
    if (!dice.chance(0.12)) take(world, randomEvent(dice, world));
    else if (dice.chance(0.3)) restore(world);
    else {
      const written = world.written.length;
      crash(world, dice.chance(0.5) ? losable(world) : dice.below(losable(world) + 1));
      lost += written - world.written.length;
    }
  }
  const tx = finish(dice, world);
  return { mode: tx.mode, phase: tx.phase, events: world.written.length, lost };
}

/** Participants become reasonable: everything owed is done, sooner or later. It must end. */
function finish(dice: Dice, world: World): Transaction {
  for (let round = 0; round < 100; round += 1) {
    const { tx } = world;
    assert.ok(tx !== null);
    if (tx.finishedAtMs !== null) return tx;
    const effects = owed(tx);
    if (effects.length === 0) {
      const direction = dice.oneOf(['commit', 'rollback']);
      take(world, { kind: 'decide', direction, reason: null });
      continue;
    }
    const effect = effects[dice.below(effects.length)];
    assert.ok(effect !== undefined);
    const { branchId, operation } = effect;
    take(world, {
      kind: 'results',
      results: [{ branchId, operation, outcome: 'done', result: round }],
    });
  }
  throw new Error('fair answers did not end it');
}

function randomEvent(dice: Dice, world: World): EventBody {
  const kinds = [
    'results',
    'results',
    'results',
    'results',
    'attention',
    'register',
    'rare',
  ] as const;
  switch (dice.oneOf(kinds)) {
    case 'results':
      return { kind: 'results', results: randomResults(dice, world) };
    case 'attention': {
      const branchId = dice.chance(0.1) ? null : 1 + dice.below(7);
      return {
        kind: 'attention',
        reason: dice.oneOf(['retries', 'unreadable']),
        branchId,
        detail: 'x',
      };
    }
    case 'register': {
      const branches = randomBranches(dice);
      const content = String(branches.length);
      return { kind: 'register', request: dice.oneOf(['r1', 'r2', 'begin']), content, branches };
    }
    default:
      return randomRarity(dice, world);
  }
}

/** What ends phase one, humans who settle something, and beginnings that come again. */
function randomRarity(dice: Dice, world: World): EventBody {
  const kind = dice.oneOf([
    'commit',
    'rollback',
    'deadline',
    'settle',
    'begin',
    'submit',
    'nothing',
    'nothing',
  ]);
  switch (kind) {
    case 'commit':
    case 'rollback':
      return { kind: 'decide', direction: kind, reason: dice.chance(0.5) ? 'because' : null };
    case 'deadline':
      return { kind };
    case 'settle': {
      const [owed = null] = dice.chance(0.3) ? [] : randomResults(dice, world);
      const operator = { who: 'eve', reason: 'by hand' };
      return { kind, owed, result: dice.below(9), operator };
    }
    case 'begin':
      return randomBegin(dice);
    case 'submit':
      return randomSubmit(dice);
    default:
      return { kind: 'results', results: [] };
  }
}

function randomResults(dice: Dice, world: World): readonly OperationResult[] {
  const effects = owed(world.tx);
  const count = dice.chance(0.7) ? 1 : 1 + dice.below(4);
  return Array.from({ length: count }, () => {
    const effect = effects[dice.below(effects.length)];
    const isFoolish = effect === undefined || dice.chance(0.1);
    const branchId = isFoolish ? dice.below(8) : effect.branchId;
    const operations = ['confirm', 'cancel', 'commit', 'rollback', 'run', 'undo'] as const;
    const operation = isFoolish ? dice.oneOf(operations) : effect.operation;
    return { branchId, operation, ...randomOutcome(dice) };
  });
}

function randomOutcome(dice: Dice): Pick<OperationResult, 'outcome' | 'result' | 'error'> {
  const outcome = dice.oneOf(['done', 'done', 'done', 'done', 'unknown', 'refused']);
  if (outcome !== 'done') return dice.chance(0.8) ? { outcome, error: 'why not' } : { outcome };
  const results: readonly [Json, ...Json[]] = [null, 7, 'seat', { seat: [1, 2] }];
  return dice.chance(0.8) ? { outcome, result: dice.oneOf(results) } : { outcome };
}

function randomBegin(dice: Dice): EventBody {
  const branches = randomBranches(dice);
  const content = `transaction ${branches.length}`;
  return { kind: 'begin', gid: 'g', name: 'n', content, labels: {}, timeoutMs: 30_000, branches };
}

function randomBranches(dice: Dice): readonly BranchSpec[] {
  const participant = { service: 'bank', method: 'debit' };
  const specs: readonly [BranchSpec, ...BranchSpec[]] = [
    { participant, payload: 5 },
    { kind: 'tcc', participant, payload: 5 },
    { kind: 'at', participant },
  ];
  return Array.from({ length: dice.below(4) }, () => dice.oneOf(specs));
}

/** Any graph of 1..7 steps; with a pivot, each other step is put before or after it. */
function randomSubmit(dice: Dice): EventBody {
  const count = 1 + dice.below(7);
  const pivot = dice.chance(0.5) ? dice.below(count) : count;
  const name = (index: number) => `step-${index}`;
  const steps: readonly StepSpec[] = Array.from({ length: count }, (_, index) => {
    const earlier = Array.from({ length: index }, (__, i) => i);
    const after = earlier.filter((i) => index === pivot || i === pivot || dice.chance(0.4));
    return {
      name: name(index),
      participant: { service: 'travel', method: name(index) },
      ...(dice.chance(0.2) && pivot === count ? {} : { after: after.map(name) }),
      ...(dice.chance(0.5) ? { attempts: 1 + dice.below(3) } : {}),
      ...(index === pivot ? { pivot: true } : {}),
    };
  });
  const content = `saga ${JSON.stringify(steps)}`;
  return {
    kind: 'submit',
    gid: 'g',
    name: 'n',
    content,
    labels: {},
    timeoutMs: null,
    input: 1,
    steps,
  };
}

function createDice(seed: number): Dice {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random.next() * limit);
  return {
    below,
    chance: (probability) => random.next() < probability,
    oneOf: (items) => items[below(items.length)] ?? items[0],
  };
}
