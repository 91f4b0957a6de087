/** Deadlocks between databases: who gives way, and that nobody does without one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GivenWay, ReportWaitsRequest } from '../../client-sdk/protocol/index.ts';
import { WaitGraph } from '../../server/engine/wait-graph.ts';

const options = { scopesMax: 100, forgetAfterMs: 2_000, judgeEveryMs: 0, claimsPerMs: 1e9 };
/** g0 is the eldest. */
const gid = (index: number): string => `g${index}`;
const bornAtMs = (of: string): number => Number(of.slice(1).split('-')[0]);

/** From who waits to whom. */
type Pairs = readonly (readonly [number, number])[];

/** What one gid says: it has a connection of its number, and waits for those of others. */
function reportOf(index: number, pairs: Pairs, isByHolder = false): ReportWaitsRequest {
  const whom = pairs.filter(([from]) => from === index).map(([, to]) => to);
  const wait = { id: 7, database: 'db', blockers: whom };
  return {
    gid: gid(index),
    scope: 's',
    look: 0,
    waits: isByHolder || whom.length === 0 ? [] : [wait],
    holders: isByHolder ? whom.map((to) => ({ id: 7, gid: gid(to) })) : [],
    connections: [{ database: 'db', id: index }],
  };
}

/** Rounds of reports in which everybody says the same; who was told to give way in the end. */
function victimsOf(count: number, pairs: Pairs, isByHolder: (index: number) => boolean) {
  const graph = new WaitGraph(options);
  let nowMs = 0;
  let told = new Map<number, GivenWay>();
  for (let round = 0; round < 4; round += 1) {
    told = new Map();
    for (let index = 0; index < count; index += 1) {
      nowMs += 10;
      const report = reportOf(index, pairs, isByHolder(index));
      const answer = graph.report({ ...report, look: round }, { nowMs, bornAtMs });
      if (answer !== null) told.set(index, answer);
    }
  }
  return told;
}

/** Every simple cycle, from its youngest member: plain search, which needs no cleverness. */
function youngestOfCycles(count: number, pairs: Pairs): ReadonlySet<number> {
  const youngest = new Set<number>();
  const walk = (start: number, at: number, path: readonly number[]): void => {
    for (const [from, to] of pairs) {
      if (from !== at) continue;
      if (to === start && path.length > 1) youngest.add(Math.max(...path));
      else if (!path.includes(to)) walk(start, to, [...path, to]);
    }
  };
  for (let start = 0; start < count; start += 1) walk(start, start, [start]);
  return youngest;
}

const graphs = fc.integer({ min: 2, max: 6 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    pairs: fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 12 }),
    byHolder: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
  }),
);

describe('who gives way', () => {
  it('is the younger one of two, and is told to whom', () => {
    const told = victimsOf(2, [[0, 1], [1, 0]], () => false); // biome-ignore format: pairs
    expect([...told]).toEqual([[1, { wait: 7, to: 'g0' }]]);
  });

  it('is one of a ring, however long', () => {
    const ring: Pairs = Array.from({ length: 50 }, (_, index) => [index, (index + 7) % 50]);
    expect([...victimsOf(50, ring, (index) => index % 2 === 0).keys()]).toEqual([49]);
  });

  it('is nobody of a queue, and nobody who waits for itself', () => {
    const queue: Pairs = Array.from({ length: 49 }, (_, index) => [index + 1, index]);
    expect(victimsOf(50, queue, () => false).size).toBe(0);
    expect(victimsOf(1, [[0, 0]], () => false).size).toBe(0);
  });

  it('is exactly the youngest of each cycle of any graph; the others can go on', () => {
    fc.assert(
      fc.property(graphs, ({ count, pairs, byHolder }) => {
        const told = victimsOf(count, pairs, (index) => byHolder[index] === true);
        expect(new Set(told.keys())).toEqual(youngestOfCycles(count, pairs));
        const rest = pairs.filter(([from, to]) => !told.has(from) && !told.has(to));
        expect(youngestOfCycles(count, rest).size).toBe(0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is found when connections and waits of one gid are in several processes', () => {
    const graph = new WaitGraph(options);
    const say = (nowMs: number, report: Partial<ReportWaitsRequest> & { gid: string }) =>
      graph.report(
        { scope: 's', look: nowMs, waits: [], holders: [], connections: [], ...report },
        { nowMs, bornAtMs },
      );
    const answers = [1, 2, 3].map((nowMs) => {
      const waits = (blocker: number) => [{ id: 1, database: 'db', blockers: [blocker] }];
      say(nowMs, { gid: 'g2', scope: 'initiator', connections: [{ database: 'db', id: 5 }] });
      say(nowMs, { gid: 'g1', waits: waits(5), connections: [{ database: 'db', id: 6 }] });
      // Another database with the same number of a connection is another connection.
      say(nowMs, { gid: 'g0', waits: waits(7), connections: [{ database: 'other', id: 6 }] });
      return say(nowMs, { gid: 'g2', scope: 'joined', waits: waits(6) });
    });
    expect(answers.at(-1)).toEqual({ wait: 1, to: 'g1' });
  });

  it('is decided by the gid when both are of the same time', () => {
    const graph = new WaitGraph(options);
    const say = (nowMs: number, own: string, other: string) =>
      graph.report(
        {
          ...reportOf(0, []),
          gid: own,
          look: nowMs,
          connections: [],
          holders: [{ id: 1, gid: other }],
        },
        { nowMs, bornAtMs: () => 5 },
      );
    for (const nowMs of [1, 2]) {
      say(nowMs, 'a', 'b');
      say(nowMs, 'b', 'a');
    }
    expect([say(3, 'a', 'b'), say(3, 'b', 'a')]).toEqual([null, { wait: 1, to: 'a' }]);
  });
});

describe('what is remembered', () => {
  const both: Pairs = [[0, 1], [1, 0]]; // biome-ignore format: pairs
  const say = (graph: WaitGraph, nowMs: number, index: number, more: object = {}) =>
    graph.report({ ...reportOf(index, both), look: nowMs, ...more }, { nowMs, bornAtMs });

  function deadlocked(): WaitGraph {
    const graph = new WaitGraph(options);
    for (const nowMs of [1, 2, 3]) for (const index of [0, 1]) say(graph, nowMs, index);
    expect(say(graph, 4, 1)).toEqual({ wait: 7, to: 'g0' });
    return graph;
  }

  it('the next wait of the same scope is another one', () => {
    const waits = [{ id: 8, database: 'db', blockers: [0] }];
    expect(say(deadlocked(), 5, 1, { waits })).toBeNull();
    // Also as long as nobody has looked for deadlocks again.
    const graph = new WaitGraph({ ...options, judgeEveryMs: 3 });
    for (const nowMs of [1, 2, 3, 4]) for (const index of [0, 1]) say(graph, nowMs, index);
    expect(say(graph, 5, 1)).toEqual({ wait: 7, to: 'g0' });
    expect(say(graph, 6, 1, { waits })).toBeNull();
  });

  it('a gid that is decided is forgotten, and so is a scope that is silent', () => {
    const graph = deadlocked();
    graph.forget('g0');
    expect(graph.size).toBe(1);
    expect(say(graph, 5, 1)).toBeNull();
    say(graph, 6 + options.forgetAfterMs, 2);
    expect(graph.size).toBe(1);
  });

  it('no more scopes than the limit; the others are told to wait', () => {
    const graph = new WaitGraph({ ...options, scopesMax: 1 });
    for (const nowMs of [1, 2, 3]) {
      say(graph, nowMs, 0);
      expect(say(graph, nowMs, 1)).toBeNull();
    }
    expect(graph.size).toBe(1);
    say(graph, 4 + options.forgetAfterMs, 1);
    expect(graph.size).toBe(1);
  });
});

/** What one of three does next. */
const history = fc.array(
  fc.record({
    index: fc.nat(2),
    /** 0 to 2: it waits for that one from now on; 3: for nobody. More: it looks, or reports what it saw. */
    act: fc.nat(67).map((act) => (act < 64 ? 4 : act - 64)),
  }),
  { minLength: 60, maxLength: 200, size: 'max' },
);

describe('reports that come late', () => {
  it('nobody gives way who was not the youngest of a cycle at one true moment', () => {
    let found = 0;
    fc.assert(
      fc.property(history, (acts) => {
        const graph = new WaitGraph(options);
        const waits = new Map<number, { readonly id: number; readonly to: number }>();
        const seen = new Map<number, ReportWaitsRequest>();
        const truly = new Set<string>();
        let ids = 0;
        for (const [nowMs, { index, act }] of acts.entries()) {
          if (act > 3) {
            const report = seen.get(index);
            seen.delete(index);
            if (report === undefined) {
              // It looks; others act before what it saw arrives.
              const wait = waits.get(index);
              const pairs: Pairs = wait === undefined ? [] : [[index, wait.to]];
              const now = reportOf(index, pairs);
              const numbered = now.waits.map((one) => ({ ...one, id: wait?.id ?? 0 }));
              seen.set(index, { ...now, look: nowMs, waits: numbered });
              continue;
            }
            // A line that breaks may bring it twice.
            graph.report(report, { nowMs, bornAtMs });
            const answer = graph.report(report, { nowMs: nowMs + 0.5, bornAtMs });
            if (answer !== null) {
              found += 1;
              expect(truly).toContain(`${index} ${answer.wait}`);
            }
          } else {
            waits.delete(index);
            if (act < 3 && act !== index) waits.set(index, { id: ++ids, to: act });
            const pairs: Pairs = [...waits].map(([from, { to }]) => [from, to]);
            for (const youngest of youngestOfCycles(3, pairs)) {
              truly.add(`${youngest} ${waits.get(youngest)?.id}`);
            }
          }
        }
      }),
      { numRuns: 3_000 },
    );
    expect(found).toBeGreaterThan(20);
  });
});
