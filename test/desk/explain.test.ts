/** Why a transaction is where it is, for every state that people find one in, made by the real engine. */
import { describe, expect, it } from 'vitest';
import type {
  CallAnswer,
  Explanation,
  SubmitRequest,
  TransactionAnswer,
} from '../../client-sdk/protocol/index.ts';
import { explainUnreadable } from '../../server/desk/explain.ts';
import { done, type Stage, twoBranches } from '../engine/stage.ts';
import { watching } from './watching.ts';

const unknown = (error: string): CallAnswer => ({ outcome: 'unknown', error });
const refused = (error: string): CallAnswer => ({ outcome: 'refused', error });

function begin(stage: Stage, timeoutMs: number) {
  stage.ask<TransactionAnswer>((e, a) =>
    e.begin({ gid: 'g1', name: 'transfer', timeoutMs, branches: twoBranches }, a),
  );
}

async function decide(stage: Stage, direction: 'commit' | 'rollback') {
  stage.ask<TransactionAnswer>((e, a) =>
    e.decide({ gid: 'g1', direction, reason: 'no money', wait: 'decided' }, a),
  );
  await stage.time.settle();
}

async function submit(stage: Stage, steps: SubmitRequest['steps']) {
  stage.ask<TransactionAnswer>((e, a) =>
    e.submit({ gid: 'g1', name: 'trip', steps, wait: 'submitted' }, a),
  );
  await stage.time.settle();
}

const step = (name: string, pivot = false) => ({
  ...{ name, participant: { service: 'trip', method: name }, attempts: 50 },
  ...(pivot && { pivot }),
});
const commands = ({ remedies }: Explanation) => remedies.map(({ command }) => command);

describe('undecided', () => {
  it('waits for its initiator, until its deadline', async () => {
    const { stage, explained } = await watching();
    begin(stage, 60_000);
    await stage.time.advance(10_000);
    const explanation = await explained('g1');
    expect(explanation).toMatchObject({
      phase: 'active',
      why: 'Its initiator began it 10 s ago and has not decided yet (2 branches).',
      next: 'If nobody decides by its deadline, in 50 s, it is rolled back.',
      nextAtMs: stage.time.nowMs() + 50_000,
    });
    expect(commands(explanation)).toEqual(['settle tx rollback g1 --reason "…"']);
  });

  it('is rolled back when its initiator has abandoned it', async () => {
    const { stage, explained } = await watching();
    stage.script(() => unknown('the bank is away'));
    begin(stage, 5_000);
    await stage.time.advance(5_100);
    const { why } = await explained('g1');
    expect(why).toContain(
      'decided to roll back, for nobody had decided it by its deadline. Its initiator was too slow, or died.',
    );
  });
});

describe('decided', () => {
  it('asks what fails again, and says when', async () => {
    const { stage, explained } = await watching();
    stage.script(({ branchId }) => (branchId === 2 ? unknown('connection reset') : done));
    begin(stage, 60_000);
    await decide(stage, 'commit');
    const explanation = await explained('g1');
    expect(explanation.phase).toBe('committing');
    expect(explanation.why).toContain('It is decided to commit, asked by the initiator: no money.');
    expect(explanation.why).toContain(
      'confirm of branch 2 at bank credit has failed once: connection reset.',
    );
    expect(explanation.why).toContain('It can only go forward now');
    expect(explanation.next).toMatch(/^It is asked again in \d+ ms, and with longer pauses/);
    expect(explanation.nextAtMs).toBeGreaterThan(stage.time.nowMs());
    expect(commands(explanation)).toEqual([
      null,
      'settle tx retry g1 --reason "…"',
      'settle branch skip g1 2 --reason "…"',
    ]);
  });

  it('tells a long error once, though what is kept of it is cut off', async () => {
    const { stage, explained } = await watching();
    stage.script(() => refused(`account closed${' and locked'.repeat(60)}`));
    begin(stage, 60_000);
    await decide(stage, 'commit');
    const { why } = await explained('g1');
    expect(why.match(/account closed/g)).toHaveLength(1);
  });

  it('tells an error once that is the cause of the rollback, too', async () => {
    const { stage, explained } = await watching();
    stage.script(() => refused('no money'));
    begin(stage, 60_000);
    await decide(stage, 'rollback');
    const { why } = await explained('g1');
    expect(why.match(/no money/g)).toHaveLength(1);
  });

  it('does not promise longer pauses once they are as long as they become', async () => {
    const { stage, explained } = await watching({ retry: { initialMs: 100, capMs: 200 } });
    stage.script(({ branchId }) => (branchId === 2 ? unknown('connection reset') : done));
    begin(stage, 60_000);
    await decide(stage, 'commit');
    await stage.time.advance(1_000);
    expect((await explained('g1')).next).toMatch(/ms, and at most 200 ms apart after that\.$/);
  });

  it('offers the last resort once a human was asked for', async () => {
    const { stage, explained } = await watching();
    stage.script(() => refused('account closed'));
    begin(stage, 60_000);
    await decide(stage, 'commit');
    const explanation = await explained('g1');
    // What was refused has been said already, and is not said twice.
    expect(explanation.why.match(/account closed/g)).toHaveLength(1);
    expect(explanation.why).toMatch(/A human was asked for 0 ms ago\.$/);
    expect(explanation.why).toContain('1 more fail as well.');
    expect(commands(explanation)).toContain('settle tx resolve g1 --reason "…"');
  });

  it.each([
    ["METHOD_NOT_OFFERED: service 'bank' is not connected", 'settle participant list'],
    [
      "METHOD_NOT_OFFERED: service 'bank' is drained",
      'settle participant undrain bank --reason "…"',
    ],
    [
      'AT_DIRTY_ROW: accounts 7: is not as it was left',
      'settle undo resolve g1 --keep \'TABLE KEY\' --reason "…"',
    ],
    [
      'TARGET_NOT_ALLOWED: the address is not in the allow-list',
      'settle branch skip g1 1 --reason "…"',
    ],
  ])('has the remedy for %s', async (error, command) => {
    const { stage, explained } = await watching();
    stage.script(() => refused(error));
    begin(stage, 60_000);
    await decide(stage, 'rollback');
    const explanation = await explained('g1');
    expect(explanation.phase).toBe('rollingBack');
    expect(commands(explanation)).toContain(command);
    expect(explanation.why).toContain('a decision never changes');
  });

  it('does not advise to ask again for a row that is dirty', async () => {
    const { stage, explained } = await watching();
    stage.script(() => refused('AT_DIRTY_ROW: public.t ["a: b\'s"]: somebody else changed it'));
    begin(stage, 60_000);
    await decide(stage, 'rollback');
    const explanation = await explained('g1');
    const row = `'public.t ["a: b'\\''s"]'`;
    expect(commands(explanation)).toEqual([
      'settle undo diff g1',
      `settle undo resolve g1 --restore ${row} --reason "…"`,
      `settle undo resolve g1 --keep ${row} --reason "…"`,
      `settle undo resolve g1 --merge ${row} --reason "…"`,
      null,
    ]);
    expect(explanation.remedies.at(-1)?.text).toContain('move no money and restore no rows');
  });

  it.each(['public.t ["cut of', 'public.t [cut]: why', '"my table" ["1"]: why'])(
    'names no row that it has not read whole: %s',
    async (row) => {
      const { stage, explained } = await watching();
      stage.script(() => refused(`AT_DIRTY_ROW: ${row}`));
      begin(stage, 60_000);
      await decide(stage, 'rollback');
      const command = `settle undo resolve g1 --merge 'TABLE KEY' --reason "…"`;
      expect(commands(await explained('g1'))).toContain(command);
    },
  );

  it('names the branch where it was at several resources', async () => {
    const { stage, explained } = await watching();
    const dirty = refused('AT_DIRTY_ROW: public.t ["1"]: somebody else changed it');
    stage.script(({ branchId }) => (branchId === 2 ? dirty : done));
    const at = (service: string) => {
      return { kind: 'at', participant: { service, method: 'at.orders' } } as const;
    };
    stage.ask<TransactionAnswer>((e, a) =>
      e.begin({ gid: 'g1', branches: [at('shop'), at('store')] }, a),
    );
    await stage.time.settle();
    await decide(stage, 'rollback');
    await stage.time.advance(10);
    expect(commands(await explained('g1'))).toEqual([
      'settle undo diff g1 --branch 2',
      ...['restore', 'keep', 'merge'].map(
        (choice) => `settle undo resolve g1 --branch 2 --${choice} 'public.t ["1"]' --reason "…"`,
      ),
      null,
    ]);
  });

  it('tells once what is wrong with the row, though a human was asked for it, too', async () => {
    const { stage, explained } = await watching();
    stage.script(() => refused('AT_DIRTY_ROW: accounts 7: is not as it was left'));
    begin(stage, 60_000);
    await decide(stage, 'rollback');
    const { why } = await explained('g1');
    expect(why.match(/is not as it was left/g), why).toHaveLength(1);
  });

  it('waits for answers that are on their way', async () => {
    const { stage, explained } = await watching();
    stage.script(() => null);
    begin(stage, 60_000);
    await decide(stage, 'commit');
    const explanation = await explained('g1');
    expect(explanation.why).toContain('Asked now: confirm of branch 1 at bank debit');
    expect(explanation).toMatchObject({ nextAtMs: null, remedies: [] });
  });

  it('is over', async () => {
    const { stage, explained } = await watching();
    begin(stage, 60_000);
    await decide(stage, 'rollback');
    expect(await explained('g1')).toMatchObject({
      phase: 'rolledBack',
      why: 'It is rolled back, asked by the initiator: no money. Every branch has done its part.',
      next: 'Nothing: it is over.',
      remedies: [],
    });
  });
});

describe('a saga', () => {
  it('may be given up before its pivot is asked', async () => {
    const { stage, explained } = await watching();
    stage.script(({ method }) => (method === 'hotel' ? unknown('no answer') : done));
    await submit(stage, [step('flight'), step('hotel'), step('pay', true)]);
    const explanation = await explained('g1');
    expect(explanation.why).toContain('The saga runs: 1 of 3 steps are done.');
    expect(explanation.why).toContain('run of step 2 (hotel) at trip hotel has failed once');
    expect(commands(explanation)).toContain('settle tx rollback g1 --reason "…"');
  });

  it('may not while its pivot is asked', async () => {
    const { stage, explained } = await watching();
    stage.script(({ method }) => (method === 'pay' ? unknown('no answer') : done));
    await submit(stage, [step('flight'), step('pay', true), step('mail')]);
    const explanation = await explained('g1');
    expect(explanation.why).toContain('Its pivot is asked: only its own refusal rolls');
    expect(commands(explanation)).not.toContain('settle tx rollback g1 --reason "…"');
  });

  it('only goes forward once it is done', async () => {
    const { stage, explained } = await watching();
    stage.script(({ method }) => (method === 'mail' ? unknown('no answer') : done));
    await submit(stage, [step('pay', true), step('mail')]);
    const { phase, why } = await explained('g1');
    expect(phase).toBe('committing');
    expect(why).toContain('Its pivot is done, so the other steps must be done, too.');
    expect(why).toContain('1 of 2 is not there yet.');
  });

  it('undoes what was done when a step refuses', async () => {
    const { stage, explained } = await watching();
    stage.script(({ operation, method }) => {
      if (operation === 'undo') return unknown('the airline is away');
      return method === 'hotel' ? refused('no room') : done;
    });
    await submit(stage, [step('flight'), step('hotel')]);
    const { why } = await explained('g1');
    expect(why).toMatch(/decided to roll back, for branch 2 refused: .*no room/);
    expect(why).toContain('undo of step');
  });
});

it('tells of one that cannot be read what to do, and what is known', async () => {
  const { stage, lookout, wait } = await watching();
  const row = { gid: 'g9', seq: 1, shard: 0, epoch: 1, atMs: 5, records: '[{"kind":"fancy"}]' };
  stage.store.slots.set('g9', new Map([[1, row]]));
  const explanation = await wait(lookout.explanation('g9'));
  expect(explanation).toEqual(
    explainUnreadable('g9', 'active', "row 1 cannot be read: unknown record 'fancy'"),
  );
  const { entries } = await wait(lookout.timeline('g9'));
  expect(entries).toMatchObject([{ text: 'a record that this version does not know' }]);
});

it('knows nothing of a gid that was never begun', async () => {
  const { explained } = await watching();
  await expect(explained('none')).rejects.toThrow('NOT_FOUND');
});
