/** Reports of waits to the engine: who is the younger one, and what becomes of them. */
import { expect, it } from 'vitest';
import type { GivenWay } from '../../client-sdk/protocol/index.ts';
import { createStage, type Stage } from './stage.ts';

/** Two that wait for each other's decision; what each is told after three looks. */
async function deadlock(stage: Stage, gids: readonly [string, string]) {
  const told = new Map<string, GivenWay | null>();
  const scope = gids.join('.');
  for (let look = 1; look <= 4; look += 1) {
    await stage.time.advance(100);
    for (const [gid, other] of [gids, gids.toReversed()]) {
      const body = { gid: gid ?? '', scope, look, waits: [], connections: [] };
      const request = { ...body, holders: [{ id: 1, gid: other ?? '' }] };
      const { answer } = stage.ask((engine, answered) => engine.reportWaits(request, answered));
      if (answer?.ok !== true) throw new Error(`refused: ${JSON.stringify(answer)}`);
      told.set(request.gid, (answer.body as { giveWay: GivenWay | null }).giveWay);
    }
  }
  return told;
}

const early = '01900000-0000-7000-8000-000000000000';
const late = '01900000-0001-7000-8000-000000000000';

it('of gids made by the SDK the time in them counts, whoever begins or asks first', async () => {
  const stage = await createStage();
  expect(await deadlock(stage, [late, early])).toEqual(
    new Map([
      [late, { wait: 1, to: early }],
      [early, null],
    ]),
  );
  // Told again and again, and one all the same.
  expect(stage.engine.stats().deadlocks).toBe(1);
});

it('a gid of the user’s own counts from its begin, or from its first report', async () => {
  const stage = await createStage();
  stage.ask((engine, answered) => engine.begin({ gid: 'z-first' }, answered));
  await stage.time.advance(10);
  stage.ask((engine, answered) => engine.begin({ gid: 'a-second' }, answered));
  await stage.time.advance(10);
  const both = await deadlock(stage, ['a-second', 'z-first']);
  expect(both.get('a-second')).toEqual({ wait: 1, to: 'z-first' });
  const unknown = await deadlock(stage, ['a-unknown', 'z-first']);
  expect(unknown.get('a-unknown')).toEqual({ wait: 1, to: 'z-first' });
});

it('a gid that is decided waits no more', async () => {
  const stage = await createStage();
  stage.ask((engine, answered) => engine.begin({ gid: early }, answered));
  await stage.time.advance(10);
  expect((await deadlock(stage, [early, late])).get(late)).toEqual({ wait: 1, to: early });
  stage.ask((engine, answered) => engine.decide({ gid: early, direction: 'commit' }, answered));
  await stage.time.advance(100);
  const request = { gid: late, scope: 's', look: 5, waits: [], connections: [] };
  const asked = stage.ask((engine, answered) =>
    engine.reportWaits({ ...request, holders: [{ id: 1, gid: early }] }, answered),
  );
  expect(asked.answer).toEqual({ ok: true, body: { giveWay: null } });
});

it('a coordinator whose term is over refuses reports as it refuses the rest', async () => {
  const stage = await createStage();
  await createStage({}, stage.store, stage.time);
  stage.ask((engine, answered) => engine.begin({ gid: early }, answered));
  await stage.time.advance(1_000);
  const request = { gid: early, scope: 's', look: 1, waits: [], holders: [], connections: [] };
  const asked = stage.ask((engine, answered) => engine.reportWaits(request, answered));
  expect(asked.answer).toMatchObject({ ok: false, code: 'FENCED' });
});

it('those who look see what was reported in the last second, with the time of the first report', async () => {
  const stage = await createStage();
  const request = { gid: early, scope: 's', connections: [{ database: 'db', id: 1 }] };
  const waits = [{ id: 1, database: 'db', blockers: [7] }];
  const report = (look: number) =>
    stage.ask((engine, answered) =>
      engine.reportWaits({ ...request, look, waits, holders: [{ id: 2, gid: late }] }, answered),
    );
  const firstAtMs = stage.time.clock.nowMs();
  report(1);
  await stage.time.advance(900);
  report(2);
  await stage.time.advance(900);
  const seen = { sinceMs: firstAtMs, givesWay: false };
  expect(stage.engine.reportedWaits()).toEqual([
    {
      gid: early,
      connections: [{ database: 'db', id: 1 }],
      waits: [
        { ...seen, target: { connection: { database: 'db', id: 7 } } },
        { ...seen, target: { gid: late } },
      ],
    },
  ]);
  await stage.time.advance(200);
  expect(stage.engine.reportedWaits()).toEqual([]);
});

it('an open one is shown in short, its decision only once it is durable', async () => {
  const stage = await createStage();
  const branches = [
    { kind: 'at', participant: { service: 'shop', method: 'at.orders' } },
    { kind: 'at', participant: { service: 'shop', method: 'at.orders' } },
    { participant: { service: 'bank', method: 'debit' } },
  ] as const;
  stage.script(() => ({ outcome: 'unknown', error: 'later' }));
  stage.ask((engine, answered) => engine.begin({ gid: early, name: 'sale', branches }, answered));
  await stage.time.settle();
  const resources = [{ service: 'shop', resource: 'orders' }];
  const short = { gid: early, name: 'sale', phase: 'active', resources };
  expect(stage.engine.openOnes([early, 'unknown'])).toMatchObject([short]);
  stage.mood('stalled');
  stage.ask((engine, answered) => engine.decide({ gid: early, direction: 'commit' }, answered));
  await stage.time.settle();
  expect(stage.engine.openOnes([early])).toMatchObject([short]);
});
