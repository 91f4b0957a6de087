/** The picture of who waits for whom, of reports and answers: pure, and as careful as what is known. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lockGraph } from '../../server/desk/lock-graph.ts';
import {
  type Held,
  type LockGraphParts,
  linkWaits,
  lockGraphView,
  waitsShownMax,
} from '../../server/desk/lock-graph-view.ts';
import type { ReportedScope } from '../../server/engine/coordinator.ts';
import { systemClock } from '../../server/runtime/clock.ts';

const held = (gid: string, id: number, more: Partial<Held> = {}): Held => ({
  ...{ service: 'shop', resource: 'orders', database: 'db', openMs: 1, awaits: [] },
  ...{ gid, id, ...more },
});
const waiting = (gid: string, sinceMs: number, ...targets: readonly (number | string)[]) => ({
  gid,
  connections: [],
  waits: targets.map((target) => ({
    ...{ sinceMs, givesWay: false },
    target:
      typeof target === 'number' ? { connection: { database: 'db', id: target } } : { gid: target },
  })),
});

function viewOf(scopes: readonly ReportedScope[], known: readonly Held[] = []) {
  const { waits, isCut } = linkWaits(scopes, known);
  const parts: LockGraphParts = {
    ...{ atMs: 9, scopes, held: known, waits, known: [], rows: [], unasked: [], isCut },
  };
  return lockGraphView(parts);
}

it('nobody is asked while nobody waits', async () => {
  const scopes = [{ gid: 'a', waits: [], connections: [db(1)] }];
  const unasked = (): never => {
    throw new Error('somebody was asked');
  };
  const answer = await lockGraph({
    clock: systemClock(),
    coordinator: { reportedWaits: () => scopes, openOnes: unasked, locks: unasked },
    channel: { participants: unasked, askEach: unasked },
  });
  expect(answer).toMatchObject({ waits: [], transactions: [], cycles: [], isCut: false });
});

describe('where, and for whom', () => {
  it('is what the process in the way says, before what was reported', () => {
    const scopes = [waiting('a', 1, 5), { gid: 'old', waits: [], connections: [db(5)] }];
    expect(viewOf(scopes).waits).toMatchObject([{ waitsFor: 'old', database: 'db' }]);
    expect(viewOf(scopes, [held('b', 5)]).waits).toMatchObject([
      { waitsFor: 'b', database: 'shop/orders', connection: 5 },
    ]);
  });

  it('is one of the waiter’s own databases, when only the server is known', () => {
    const own = [held('a', 1), held('a', 2, { resource: 'stock' }), held('c', 3)];
    expect(viewOf([waiting('a', 1, 5)], own).waits).toMatchObject([
      { waitsFor: null, database: 'shop/orders or shop/stock' },
    ]);
  });

  it('of a decision is where its process waits for it, or not known', () => {
    const scopes = [waiting('a', 1, 'b')];
    const at = { kind: 'decision', waitsFor: 'b', connection: null };
    expect(viewOf(scopes).waits).toMatchObject([{ ...at, database: null }]);
    const own = [held('a', 1, { awaits: ['b'] }), held('a', 2, { resource: 'stock' })];
    expect(viewOf(scopes, own).waits).toMatchObject([{ ...at, database: 'shop/orders' }]);
  });
});

const db = (id: number) => ({ database: 'db', id });

describe('cycles', () => {
  it('are rings, not the queues in front of them; a wait for oneself is none', () => {
    const scopes = [
      waiting('queued', 1, 'a'),
      waiting('a', 2, 'b', 'end'),
      waiting('b', 3, 'a'),
      waiting('self', 4, 'self'),
    ];
    const { cycles, waits } = viewOf(scopes);
    expect(cycles).toEqual([['a', 'b']]);
    expect(waits.filter(({ isInCycle }) => isInCycle).map(({ gid }) => gid)).toEqual(['a', 'b']);
  });

  it('hold exactly those who reach themselves, whatever waits for whatever', () => {
    const pairs = fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { maxLength: 14 });
    fc.assert(
      fc.property(pairs, (edges) => {
        const { cycles } = viewOf(edges.map(([from, to], at) => waiting(`g${from}`, at, `g${to}`)));
        const reaches = (from: number, to: number, seen: readonly number[] = []): boolean =>
          edges.some(
            ([one, other]) =>
              one === from &&
              one !== other &&
              !seen.includes(other) &&
              (other === to || reaches(other, to, [...seen, other])),
          );
        const expected = [0, 1, 2, 3, 4, 5, 6].filter((gid) => reaches(gid, gid));
        expect(cycles.flat().sort()).toEqual(expected.map((gid) => `g${gid}`));
        expect(new Set(cycles.flat()).size).toBe(cycles.flat().length);
      }),
    );
  });
});

it('shows the oldest waits, and says that there are more', () => {
  const scopes = Array.from({ length: waitsShownMax + 1 }, (_, at) => waiting(`g${at}`, -at, 'h'));
  const { waits, isCut, transactions } = viewOf(scopes);
  expect([waits.length, isCut, waits[0]?.gid]).toEqual([waitsShownMax, true, `g${waitsShownMax}`]);
  expect(transactions).toHaveLength(waitsShownMax + 1);
});
