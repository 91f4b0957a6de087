/**
 * The smallest world around the pure core: a state in memory, the records that it wrote, and crashes
 * that forget the one and maybe the last of the other. What was told and asked before a crash is not
 * forgotten, so that `invariants.ts` can hold the core to it. No engine, no time of its own.
 */
import { strict as assert } from 'node:assert';
import { apply } from '../../server/core/apply.ts';
import type { Effect } from '../../server/core/effect.ts';
import type { TxEvent } from '../../server/core/event.ts';
import { outstanding } from '../../server/core/outstanding.ts';
import type { LogRecord } from '../../server/core/record.ts';
import { type Step, step } from '../../server/core/step.ts';
import type { Transaction } from '../../server/core/transaction.ts';
import type { Urgency } from '../../server/core/verdict.ts';
import { checkReply, checkState, checkStep, type Witness } from './invariants.ts';

/** An event without its stamp; the world adds time and term. */
export type EventBody = TxEvent extends infer E
  ? E extends TxEvent
    ? Omit<E, 'atMs' | 'epoch'>
    : never
  : never;

/** A record with how urgent it was. */
export interface Written {
  readonly record: LogRecord;
  readonly urgency: Urgency;
}

export interface World {
  readonly startMs: number;
  nowMs: number;
  epoch: number;
  tx: Transaction | null;
  written: readonly Written[];
  /** How many of the records cannot be lost any more. */
  durable: number;
  readonly witness: Witness;
}

/** An empty world in term 1. */
export function createWorld(): World {
  const witness = { told: null, decision: null, asked: new Set<string>() };
  return {
    startMs: 1_000_000,
    nowMs: 1_000_000,
    epoch: 1,
    tx: null,
    written: [],
    durable: 0,
    witness,
  };
}

/** One event, with every invariant checked after it. */
export function take(world: World, body: EventBody): Step {
  const event = deepFreeze({ ...body, atMs: world.nowMs, epoch: world.epoch } as TxEvent);
  const before = world.tx;
  const result = deepFreeze(step(before, event));
  checkStep(before, event, result);
  world.tx = result.next;
  if (result.record !== null) {
    world.written = [...world.written, { record: result.record, urgency: result.urgency }];
    if (result.urgency === 'urgent') world.durable = world.written.length;
  }
  checkReply(world.witness, event, result.reply);
  // An answer that shows a decision was held until the decision was durable.
  const isShown = result.reply.kind !== 'none' && world.tx !== null && world.tx.phase !== 'active';
  if (isShown) world.durable = world.written.length;
  check(world);
  return result;
}

/** Memory is lost, and so are the last records of those that were not durable yet. */
export function crash(world: World, lost: number): void {
  const kept = Math.max(world.durable, world.written.length - lost);
  world.written = world.written.slice(0, kept);
  world.durable = kept;
  world.epoch += 1;
  restore(world);
}

/** Memory is built anew from the records; the term stays. */
export function restore(world: World): void {
  world.tx = replayed(world);
  // A decision that was never durable was never told: it may be taken anew, and otherwise.
  const isDecided = world.tx !== null && world.tx.phase !== 'active';
  if (!isDecided) world.witness.decision = null;
  check(world);
}

/** How many records a crash could lose now. */
export function losable(world: World): number {
  return world.written.length - world.durable;
}

/** What is owed now; nothing before the begin. */
export function owed(tx: Transaction | null): readonly Effect[] {
  return tx === null ? [] : outstanding(tx);
}

function replayed(world: World): Transaction | null {
  let tx: Transaction | null = null;
  for (const { record } of world.written) tx = deepFreeze(apply(tx, record));
  return tx;
}

function check(world: World): void {
  const records = world.written.map(({ record }) => record);
  const texts = records.map((record) => JSON.stringify(record));
  assert.deepEqual(replayed(world), world.tx, 'S5: replay is not what is in memory');
  let read: Transaction | null = null;
  for (const text of texts) read = apply(read, JSON.parse(text) as LogRecord);
  assert.deepEqual(read, world.tx, 'records do not survive JSON');
  if (world.tx !== null) checkState(world.witness, world.tx, records, outstanding(world.tx));
}

/** A step must change nothing that it was given. */
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
