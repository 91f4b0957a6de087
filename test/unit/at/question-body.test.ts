/** Questions as they come to a resource: taken as a whole, or not at all. */
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../client-sdk/protocol/index.ts';
import {
  inspectQuestionOf,
  locksQuestionOf,
  resolveQuestionOf,
} from '../../../client-sdk/resource/question-body.ts';

const row = { table: 't', key: '["1"]', seen: 'digest', choice: 'keep' };
const question = { rows: [row], otherwise: null, dryRun: false, bytesMax: 9 };
const merge = { ...row, choice: 'merge', columns: { a: 'before', b: 'current' } };
const ofRow = (parts: Readonly<Record<string, Json>>): Json => ({
  ...question,
  rows: [{ ...row, ...parts }],
});

describe('what is asked', () => {
  it.each<Json>([
    question,
    { ...question, rows: [], dryRun: true },
    { ...question, rows: [{ ...row, choice: 'restore' }, merge] },
    { ...question, otherwise: { choice: 'keep', seen: 'all' } },
  ])('resolve %j', (payload) => {
    expect(resolveQuestionOf(payload)).toEqual(payload);
  });

  it('inspect, locks', () => {
    const page = { offset: 0, rowsMax: 1, bytesMax: 2 };
    expect(inspectQuestionOf(page)).toEqual(page);
    const locks = { order: 'oldest', limit: 1, table: 't', gid: 'g', after: '9223372036854775807' };
    expect(locksQuestionOf(locks)).toEqual(locks);
    expect(locksQuestionOf({ order: 'newest', limit: 1 })).toEqual({ order: 'newest', limit: 1 });
  });
});

describe('what is not understood', () => {
  it.each<Json>([
    null,
    [],
    {},
    { ...question, rows: null },
    { ...question, dryRun: 'no' },
    { ...question, bytesMax: -1 },
    { ...question, otherwise: 'keep' },
    { ...question, otherwise: { choice: 'merge', seen: 'all' } },
    { ...question, otherwise: { choice: 'keep' } },
    { ...question, rows: [row, {}] },
    { ...question, rows: ['row'] },
    ofRow({ seen: 1 }),
    ofRow({ choice: 'lose' }),
    ofRow({ columns: {} }),
    ofRow({ choice: 'merge' }),
    ofRow({ choice: 'merge', columns: ['a'] }),
    ofRow({ choice: 'merge', columns: { a: 'after' } }),
  ])('resolve %j', (payload) => {
    expect(resolveQuestionOf(payload)).toBeNull();
  });

  it.each<Json>([
    null,
    {},
    { offset: -1, rowsMax: 1, bytesMax: 1 },
    { offset: 0.5, rowsMax: 1, bytesMax: 1 },
    { offset: 0, rowsMax: '1', bytesMax: 1 },
  ])('inspect %j', (payload) => {
    expect(inspectQuestionOf(payload)).toBeNull();
  });

  it.each<Json>([
    null,
    { order: 'any', limit: 1 },
    { order: 'newest' },
    { order: 'newest', limit: 1, table: 1 },
    { order: 'newest', limit: 1, gid: "'" },
    { order: 'newest', limit: 1, after: '1 or true' },
  ])('locks %j', (payload) => {
    expect(locksQuestionOf(payload)).toBeNull();
  });
});
