/** Undo rows and locks over HTTP: what a request may say, what reaches the coordinator, what is logged. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../client-sdk/protocol/index.ts';
import { createValidators } from '../../server/api/schemas.ts';
import { createEdge } from './support.ts';

const seen = 'a'.repeat(64);
const row = { table: 'public.t', key: '["1"]', choice: 'keep', seen };
const merge = { ...row, choice: 'merge', columns: { note: 'before', cents: 'current' } };
const body = { resource: 'orders', reason: 'the shop called', rows: [row] };
const path = '/v1/transactions/g1/undo';

async function edge() {
  const made = createEdge();
  await made.post('/v1/transactions', { gid: 'g1' });
  made.coordinator.asked.length = 0;
  return made;
}

describe('addresses', () => {
  test('undo, resolve and locks join path, query and body', async () => {
    const { get, post, coordinator } = await edge();
    const answers = [
      await get(`${path}?branchId=3&limit=7&cursor=14`),
      await post(`${path}/resolve`, { ...body, dryRun: true }),
      await get('/v1/resources/7/shop%2Forders/locks?table=public.t&gid=g2&order=oldest&limit=1'),
    ];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    expect(coordinator.asked).toEqual([
      { verb: 'undo', body: { gid: 'g1', branchId: 3, limit: 7, cursor: '14' } },
      { verb: 'resolve', body: { gid: 'g1', ...body, dryRun: true } },
      {
        verb: 'locks',
        body: {
          service: '7',
          resource: 'shop/orders',
          table: 'public.t',
          gid: 'g2',
          order: 'oldest',
          limit: 1,
        },
      },
    ]);
  });

  test('who changes something, and why, is in the log; what stands in rows is not', async () => {
    const { post, coordinator, logged } = await edge();
    await post(`${path}/resolve`, body);
    coordinator.refusal = { ok: false, code: 'ROW_CHANGED', detail: 'because' };
    await post(`${path}/resolve`, { ...body, resource: undefined, branchId: 2 });
    const lines = logged.map((line) => JSON.parse(line)).filter(({ verb }) => verb !== undefined);
    expect(lines).toMatchObject([
      {
        verb: 'resolve',
        gid: 'g1',
        resource: 'orders',
        reason: 'the shop called',
        outcome: 'done',
      },
      { verb: 'resolve', gid: 'g1', branchId: 2, outcome: 'ROW_CHANGED', dryRun: false },
    ]);
    expect(logged.join()).not.toContain('public.t');
  });
});

const validators = createValidators();
const resolve = { gid: 'g1', ...body };

describe('bodies', () => {
  test.each([
    ['a merge', 'resolve', { ...resolve, rows: [merge] }],
    [
      'no rows, one choice for all',
      'resolve',
      { ...resolve, rows: [], otherwise: { choice: 'keep', seen } },
    ],
    ['neither', 'resolve', { gid: 'g1', branchId: 1, reason: 'a look', dryRun: true }],
    [
      'a reason at its limit',
      'resolve',
      { ...resolve, reason: 'r'.repeat(limits.reasonLengthMax) },
    ],
    [
      'rows at their limit',
      'resolve',
      { ...resolve, rows: Array(limits.resolvedRowsMax).fill(row) },
    ],
    ['a page at its limit', 'undo', { gid: 'g1', limit: limits.pageSizeMax }],
  ] as const)('%s may come', (_, verb, given) => {
    expect(validators[verb](given)).toBeNull();
  });

  const longRow = { ...merge, columns: Object.fromEntries(names(4_000)) };

  test.each([
    ['no reason', 'resolve', { ...resolve, reason: undefined }, 'INVALID_REQUEST', 'reason'],
    ['an empty reason', 'resolve', { ...resolve, reason: '' }, 'INVALID_REQUEST', 'reason'],
    [
      'a long reason',
      'resolve',
      { ...resolve, reason: 'r'.repeat(limits.reasonLengthMax + 1) },
      'LIMIT_EXCEEDED',
      'reason',
    ],
    ['branch and resource', 'resolve', { ...resolve, branchId: 1 }, 'INVALID_REQUEST', 'either'],
    [
      'neither of them',
      'resolve',
      { ...resolve, resource: undefined },
      'INVALID_REQUEST',
      'either',
    ],
    [
      'another choice',
      'resolve',
      { ...resolve, rows: [{ ...row, choice: 'lose' }] },
      'INVALID_REQUEST',
      'rows[0].choice',
    ],
    [
      'a merge without columns',
      'resolve',
      { ...resolve, rows: [{ ...row, choice: 'merge' }] },
      'INVALID_REQUEST',
      'rows[0].columns',
    ],
    [
      'columns without a merge',
      'resolve',
      { ...resolve, rows: [{ ...merge, choice: 'keep' }] },
      'INVALID_REQUEST',
      'rows[0].columns',
    ],
    [
      'a merge with after',
      'resolve',
      { ...resolve, rows: [{ ...merge, columns: { a: 'after' } }] },
      'INVALID_REQUEST',
      'columns',
    ],
    [
      'nothing that was seen',
      'resolve',
      { ...resolve, rows: [{ ...row, seen: undefined }] },
      'INVALID_REQUEST',
      'seen',
    ],
    [
      'a digest that is none',
      'resolve',
      { ...resolve, rows: [{ ...row, seen: 'x' }] },
      'INVALID_REQUEST',
      'seen',
    ],
    [
      'merge for all others',
      'resolve',
      { ...resolve, otherwise: { choice: 'merge', seen } },
      'INVALID_REQUEST',
      'otherwise.choice',
    ],
    [
      'too many rows',
      'resolve',
      { ...resolve, rows: Array(limits.resolvedRowsMax + 1).fill(row) },
      'LIMIT_EXCEEDED',
      'rows',
    ],
    [
      'rows that are too long',
      'resolve',
      { ...resolve, rows: Array(3).fill(longRow) },
      'LIMIT_EXCEEDED',
      'bytes of JSON',
    ],
    ['a cursor for all', 'undo', { gid: 'g1', cursor: '1' }, 'INVALID_REQUEST', 'needs branchId'],
    [
      'a cursor that is none',
      'undo',
      { gid: 'g1', branchId: 1, cursor: 'x' },
      'INVALID_REQUEST',
      'cursor',
    ],
    [
      'a page that is too long',
      'undo',
      { gid: 'g1', limit: limits.pageSizeMax + 1 },
      'INVALID_REQUEST',
      'limit',
    ],
    [
      'another order',
      'locks',
      { service: 's', resource: 'r', order: 'any' },
      'INVALID_REQUEST',
      'order',
    ],
  ] as const)('%s is refused', (_, verb, given, code, detail) => {
    const defined = JSON.parse(JSON.stringify(given));
    expect(validators[verb](defined)).toMatchObject({
      code,
      detail: expect.stringContaining(detail),
    });
  });
});

function names(count: number): readonly [string, 'before'][] {
  return Array.from({ length: count }, (_, at) => [`column_with_a_long_name_${at}`, 'before']);
}
