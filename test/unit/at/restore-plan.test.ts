/** What a rollback writes with and without an operator's choices: pure plans over rows as they are. */
import { describe, expect, it } from 'vitest';
import type { RowResolution } from '../../../client-sdk/protocol/index.ts';
import {
  choicesOf,
  digestOf,
  digestOfAll,
  noChoices,
} from '../../../client-sdk/resource/choices.ts';
import { type Image, rowIdentity, type Step } from '../../../client-sdk/resource/image.ts';
import type { PlannedTable } from '../../../client-sdk/resource/planned-row.ts';
import { lookUpRows } from '../../../client-sdk/resource/planned-row.ts';
import { planned } from '../../../client-sdk/resource/restore-plan.ts';

const column = (name: string, isGenerated = false) => ({
  name,
  type: 'text',
  isGenerated,
  isAlwaysIdentity: false,
});

const table: PlannedTable = {
  facts: {
    id: 't',
    columns: [column('id'), column('a'), column('b'), column('twice', true)],
    key: [{ name: 'id', form: 'text' }],
    hazards: [],
    isGuarded: false,
    refusal: null,
  },
};

const image = (id: number, a: string | null, b: string | null): Image => ({
  id: String(id),
  a,
  b,
  twice: `${a}${a}`,
});
const step = (id: number, before: Image | null, after: Image | null): Step => ({
  table: 't',
  key: `["${id}"]`,
  before,
  after,
});

/** `current`: the rows that are there. */
async function rowsOf(undo: readonly Step[], current: readonly Image[], isGone = false) {
  return lookUpRows(
    {
      lookUp: async () => (isGone ? { table: null, why: 'its table is gone' } : { table, why: '' }),
      currentRows: async () => new Map(current.map((one) => [`["${one['id']}"]`, one])),
    },
    undo,
  );
}

function choice(
  id: number,
  now: Image | null,
  of: Pick<RowResolution, 'choice' | 'columns'>,
): RowResolution {
  return { table: 't', key: `["${id}"]`, seen: digestOf(now), ...of };
}

async function planOf(
  undo: readonly Step[],
  current: readonly Image[],
  chosen: readonly RowResolution[] = [],
) {
  const rows = await rowsOf(undo, current);
  const plan = planned(undo, rows, choicesOf(chosen, null) ?? noChoices);
  const changes = plan.kind === 'changes' ? plan.changes.map(({ from, to }) => [from, to]) : [];
  return { plan, changes, rows };
}

const one = image(1, 'x', 'y');
const two = image(1, 'xx', 'y');
const three = image(1, 'xxx', 'yy');
/** Newest first: one became two, two became three. */
const steps = [step(1, two, three), step(1, one, two)];

describe('without choices', () => {
  it('undoes the steps one after another', async () => {
    const { changes } = await planOf(steps, [three]);
    expect(changes).toEqual([
      [three, two],
      [two, one],
    ]);
  });

  it('names every dirty row, in the order of their undo rows', async () => {
    const undo = [...steps, step(2, null, image(2, 'n', 'n')), step(3, image(3, 'd', 'd'), null)];
    const current = [image(1, 'mine', 'y'), image(2, 'mine', 'n'), image(3, 'mine', 'd')];
    const { plan } = await planOf(undo, current);
    expect(plan).toMatchObject({
      kind: 'dirty',
      row: { key: '["1"]', before: two, after: three, why: 'somebody else changed it' },
      others: [
        { key: '["2"]', before: null },
        { key: '["3"]', after: null, why: 'somebody else inserted it again' },
      ],
    });
  });
});

describe('restore', () => {
  it('takes a row through its steps from whatever it is', async () => {
    const mine = image(1, 'mine', 'mine');
    const { changes, rows } = await planOf(steps, [mine], [choice(1, mine, { choice: 'restore' })]);
    expect(changes).toEqual([
      [mine, two],
      [two, one],
    ]);
    expect(rows.get(rowIdentity(steps[0] ?? step(1, null, null)))?.image).toEqual(one);
  });

  it('inserts a row that is gone, and deletes one that came again', async () => {
    const gone = await planOf([step(1, one, two)], [], [choice(1, null, { choice: 'restore' })]);
    expect(gone.changes).toEqual([[null, one]]);
    const came = await planOf(
      [step(1, null, two)],
      [three],
      [choice(1, three, { choice: 'restore' })],
    );
    expect(came.changes).toEqual([[three, null]]);
  });

  it('means the same for a row that is clean, or was locked only', async () => {
    const clean = await planOf(steps, [three], [choice(1, three, { choice: 'restore' })]);
    expect(clean.changes).toHaveLength(2);
    const locked = await planOf(
      [step(1, one, one)],
      [two],
      [choice(1, two, { choice: 'restore' })],
    );
    expect(locked.changes).toEqual([[two, one]]);
  });
});

describe('keep', () => {
  it('writes nothing, whether the row is dirty, clean or gone', async () => {
    for (const now of [image(1, 'mine', 'y'), three, null]) {
      const current = now === null ? [] : [now];
      const { changes } = await planOf(steps, current, [choice(1, now, { choice: 'keep' })]);
      expect(changes).toEqual([]);
    }
  });

  it('is all that a row of a table that is gone can be', async () => {
    const rows = await rowsOf(steps, [], true);
    const keep = choicesOf([choice(1, null, { choice: 'keep' })], null) ?? noChoices;
    expect(planned(steps, rows, keep)).toMatchObject({ kind: 'changes', changes: [] });
    const restore = choicesOf([choice(1, null, { choice: 'restore' })], null) ?? noChoices;
    expect(planned(steps, rows, restore)).toEqual({
      kind: 'unfit',
      why: 't ["1"]: its table is gone; it can only be kept',
    });
  });
});

describe('merge', () => {
  const mine = image(1, 'mine', 'mine');

  it('takes the named columns only, and none that the database computes', async () => {
    const merge = { choice: 'merge', columns: { a: 'before', b: 'current' } } as const;
    const { changes } = await planOf([step(1, one, two)], [mine], [choice(1, mine, merge)]);
    expect(changes).toEqual([[mine, { id: '1', a: 'x', b: 'mine' }]]);
  });

  it('takes back what nobody else has changed, unless it is named', async () => {
    const now = image(1, 'x2', 'mine');
    const left = image(1, 'x2', 'y');
    const of = (columns: NonNullable<RowResolution['columns']>) =>
      planOf([step(1, one, left)], [now], [choice(1, now, { choice: 'merge', columns })]);
    expect((await of({})).changes).toEqual([[now, { id: '1', a: 'x', b: 'mine' }]]);
    expect((await of({ b: 'before' })).changes).toEqual([[now, { id: '1', a: 'x', b: one['b'] }]]);
    expect((await of({ a: 'current' })).changes).toEqual([]);
  });

  it('keeps what somebody else has written, also when an older step had left the same', async () => {
    const [first, second, third] = [image(1, '1', 'y'), image(1, '2', 'y'), image(1, '3', 'y')];
    const now = image(1, '2', 'y');
    const both = [step(1, second, third), step(1, first, second)];
    const merge = { choice: 'merge', columns: {} } as const;
    const { changes } = await planOf(both, [now], [choice(1, now, merge)]);
    expect(changes).toEqual([]);
  });

  it('takes null for a value', async () => {
    const before = image(1, null, 'y');
    const merge = { choice: 'merge', columns: { a: 'before' } } as const;
    const { changes } = await planOf([step(1, before, two)], [mine], [choice(1, mine, merge)]);
    expect(changes).toEqual([[mine, { id: '1', a: null, b: 'mine' }]]);
  });

  it('writes nothing when the named columns are as they were', async () => {
    const merge = { choice: 'merge', columns: { a: 'before' } } as const;
    const now = image(1, 'x', 'mine');
    const { changes } = await planOf([step(1, one, two)], [now], [choice(1, now, merge)]);
    expect(changes).toEqual([]);
  });

  it('ends at what was before the oldest step', async () => {
    const merge = { choice: 'merge', columns: { a: 'before' } } as const;
    const { changes } = await planOf(steps, [mine], [choice(1, mine, merge)]);
    expect(changes.at(-1)?.[1]).toEqual({ id: '1', a: 'x', b: 'mine' });
  });

  it.each([
    ['twice', 'the database computes twice'],
    ['none', 'its table has no column none'],
  ])('of %s is refused', async (name, why) => {
    const merge = { choice: 'merge', columns: { [name]: 'before' } } as const;
    const { plan } = await planOf([step(1, one, two)], [mine], [choice(1, mine, merge)]);
    expect(plan).toEqual({ kind: 'unfit', why: `t ["1"]: ${why}` });
  });
});

describe('what was seen', () => {
  it('stands against every choice for a row that is another one by now', async () => {
    const stale = image(1, 'stale', 'y');
    for (const of of [
      { choice: 'restore' },
      { choice: 'keep' },
      { choice: 'merge', columns: { a: 'before' } },
    ] as const) {
      const { plan } = await planOf(steps, [image(1, 'new', 'y')], [choice(1, stale, of)]);
      expect(plan).toEqual({ kind: 'changed', rows: ['t ["1"]'] });
    }
  });

  it('tells no row from rows, and null from texts', () => {
    const images = [
      null,
      {},
      { a: null },
      { a: '' },
      { a: 'null' },
      { b: null },
      { a: '1', b: '' },
    ];
    expect(new Set(images.map(digestOf)).size).toBe(images.length);
  });

  it('is refused for a row without undo rows', async () => {
    const { plan } = await planOf(steps, [three], [choice(7, null, { choice: 'keep' })]);
    expect(plan).toEqual({ kind: 'unfit', why: 't ["7"] has no undo row of this transaction' });
  });
});

describe('one choice for all other dirty rows', () => {
  const undo = [...steps, step(2, null, image(2, 'n', 'n'))];
  const current = [image(1, 'mine', 'y'), image(2, 'n', 'n')];

  it('covers dirty rows only', async () => {
    for (const [wanted, expected] of [
      ['keep', [[image(2, 'n', 'n'), null]]],
      [
        'restore',
        [
          [image(1, 'mine', 'y'), two],
          [two, one],
          [image(2, 'n', 'n'), null],
        ],
      ],
    ] as const) {
      const rows = await rowsOf(undo, current);
      const seen = digestOfAll(rows);
      const plan = planned(undo, rows, { rows: new Map(), otherwise: { choice: wanted, seen } });
      expect(plan).toMatchObject({ kind: 'changes' });
      const changes = plan.kind === 'changes' ? plan.changes : [];
      expect(changes.map(({ from, to }) => [from, to])).toEqual(expected);
    }
  });

  it('is for all of them as they were seen', async () => {
    const seen = digestOfAll(await rowsOf(undo, [image(1, 'mine', 'y')]));
    const rows = await rowsOf(undo, current);
    const plan = planned(undo, rows, { rows: new Map(), otherwise: { choice: 'keep', seen } });
    expect(plan).toMatchObject({ kind: 'changed' });
  });

  it('leaves dirty what it cannot restore', async () => {
    const rows = await rowsOf(undo, [], true);
    const seen = digestOfAll(rows);
    const plan = planned(undo, rows, { rows: new Map(), otherwise: { choice: 'restore', seen } });
    expect(plan).toMatchObject({ kind: 'dirty', others: [{ key: '["2"]' }] });
  });
});
