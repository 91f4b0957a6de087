/** Every limit of a request, at the limit and one past it. */
import { describe, expect, test } from 'vitest';
import { type ChannelVerb, limits } from '../../client-sdk/protocol/index.ts';
import { isShallow } from '../../server/api/json-size.ts';
import { createValidators } from '../../server/api/schemas.ts';
import { cursorLengthMax, waitMsMax } from '../../server/api/shapes.ts';

const validators = createValidators();
const participant = { service: 'bank', method: 'debit' };
const begin = { gid: 'g' };
const submit = { gid: 'g', name: 'n', steps: [] };

type Body = Readonly<Record<string, unknown>>;
type Verdict = 'INVALID_REQUEST' | 'LIMIT_EXCEEDED';
type Case = readonly [what: string, verb: ChannelVerb, at: Body, past: Body, verdict: Verdict];

const times = <T>(count: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const labels = (count: number): Body =>
  Object.fromEntries(times(count, (i) => [`label${i}`, 'value']));
const url = (length: number): string => `http://a/${'x'.repeat(length - 9)}`;
const branches = (count: number): Body => ({ branches: times(count, () => ({ participant })) });
const steps = (count: number): Body => ({
  steps: times(count, (i) => ({ name: `s${i}`, participant })),
});
const oneBranch = (parts: Body): Body => ({ ...begin, branches: [{ participant, ...parts }] });
const oneStep = (parts: Body): Body => ({
  ...submit,
  steps: [{ name: 's', participant, ...parts }],
});

const wait = { id: 1, database: 'd', blockers: [1] };
const report = { gid: 'g', scope: 's', look: 1, waits: [], holders: [], connections: [] };

const cases: readonly Case[] = [
  ['gid', 'begin', { gid: 'g'.repeat(64) }, { gid: 'g'.repeat(65) }, 'INVALID_REQUEST'],
  ['empty gid', 'begin', { gid: 'g' }, { gid: '' }, 'INVALID_REQUEST'],
  [
    'name',
    'begin',
    { ...begin, name: 'n'.repeat(128) },
    { ...begin, name: 'n'.repeat(129) },
    'INVALID_REQUEST',
  ],
  [
    'least timeout',
    'begin',
    { ...begin, timeoutMs: limits.timeoutMsMin },
    { ...begin, timeoutMs: limits.timeoutMsMin - 1 },
    'INVALID_REQUEST',
  ],
  [
    'longest timeout',
    'begin',
    { ...begin, timeoutMs: limits.timeoutMsMax },
    { ...begin, timeoutMs: limits.timeoutMsMax + 1 },
    'INVALID_REQUEST',
  ],
  [
    'labels',
    'begin',
    { ...begin, labels: labels(limits.labelsMax) },
    { ...begin, labels: labels(limits.labelsMax + 1) },
    'LIMIT_EXCEEDED',
  ],
  [
    'label value',
    'begin',
    { ...begin, labels: { a: 'x'.repeat(limits.labelLengthMax) } },
    { ...begin, labels: { a: 'x'.repeat(limits.labelLengthMax + 1) } },
    'LIMIT_EXCEEDED',
  ],
  [
    'label key',
    'begin',
    { ...begin, labels: { ['k'.repeat(128)]: '' } },
    { ...begin, labels: { ['k'.repeat(129)]: '' } },
    'INVALID_REQUEST',
  ],
  [
    'branches of begin',
    'begin',
    { ...begin, ...branches(limits.branchesMax) },
    { ...begin, ...branches(limits.branchesMax + 1) },
    'LIMIT_EXCEEDED',
  ],
  [
    'branches of register',
    'register',
    { ...begin, request: 'r', ...branches(limits.branchesMax) },
    { ...begin, request: 'r', ...branches(limits.branchesMax + 1) },
    'LIMIT_EXCEEDED',
  ],
  [
    'no branch',
    'register',
    { ...begin, request: 'r', ...branches(1) },
    { ...begin, request: 'r', ...branches(0) },
    'INVALID_REQUEST',
  ],
  [
    'request',
    'register',
    { ...begin, request: 'r'.repeat(64), ...branches(1) },
    { ...begin, request: 'r'.repeat(65), ...branches(1) },
    'INVALID_REQUEST',
  ],
  [
    'payload',
    'begin',
    oneBranch({ payload: 'x'.repeat(limits.payloadBytesMax - 2) }),
    oneBranch({ payload: 'x'.repeat(limits.payloadBytesMax - 1) }),
    'LIMIT_EXCEEDED',
  ],
  [
    'payload in bytes, not characters',
    'begin',
    oneBranch({ payload: 'é'.repeat(limits.payloadBytesMax / 2 - 1) }),
    oneBranch({ payload: 'é'.repeat(limits.payloadBytesMax / 2) }),
    'LIMIT_EXCEEDED',
  ],
  [
    'url',
    'begin',
    oneBranch({ participant: { url: url(limits.urlLengthMax) } }),
    oneBranch({ participant: { url: url(limits.urlLengthMax + 1) } }),
    'LIMIT_EXCEEDED',
  ],
  ['first branch', 'try', { gid: 'g', branchId: 1 }, { gid: 'g', branchId: 0 }, 'INVALID_REQUEST'],
  [
    'last branch',
    'try',
    { gid: 'g', branchId: limits.branchesMax },
    { gid: 'g', branchId: limits.branchesMax + 1 },
    'INVALID_REQUEST',
  ],
  [
    'wait of decide',
    'decide',
    { gid: 'g', direction: 'commit', waitMs: waitMsMax },
    { gid: 'g', direction: 'commit', waitMs: waitMsMax + 1 },
    'INVALID_REQUEST',
  ],
  ['wait of get', 'get', { gid: 'g', waitMs: 0 }, { gid: 'g', waitMs: -1 }, 'INVALID_REQUEST'],
  [
    'wait of submit',
    'submit',
    { ...submit, waitMs: waitMsMax },
    { ...submit, waitMs: waitMsMax + 1 },
    'INVALID_REQUEST',
  ],
  [
    'steps',
    'submit',
    { ...submit, ...steps(limits.branchesMax) },
    { ...submit, ...steps(limits.branchesMax + 1) },
    'LIMIT_EXCEEDED',
  ],
  [
    'input',
    'submit',
    { ...submit, input: 'x'.repeat(limits.payloadBytesMax - 2) },
    { ...submit, input: 'x'.repeat(limits.payloadBytesMax - 1) },
    'LIMIT_EXCEEDED',
  ],
  [
    'most attempts',
    'submit',
    oneStep({ attempts: limits.attemptsMax }),
    oneStep({ attempts: limits.attemptsMax + 1 }),
    'INVALID_REQUEST',
  ],
  [
    'fewest attempts',
    'submit',
    oneStep({ attempts: 1 }),
    oneStep({ attempts: 0 }),
    'INVALID_REQUEST',
  ],
  [
    'after',
    'submit',
    oneStep({ after: times(limits.branchesMax, () => 'a') }),
    oneStep({ after: times(limits.branchesMax + 1, () => 'a') }),
    'LIMIT_EXCEEDED',
  ],
  [
    'waits',
    'reportWaits',
    { ...report, waits: times(limits.waitsMax, () => wait) },
    { ...report, waits: times(limits.waitsMax + 1, () => wait) },
    'LIMIT_EXCEEDED',
  ],
  [
    'blockers',
    'reportWaits',
    { ...report, waits: [{ ...wait, blockers: times(limits.waitsMax, () => 1) }] },
    { ...report, waits: [{ ...wait, blockers: times(limits.waitsMax + 1, () => 1) }] },
    'LIMIT_EXCEEDED',
  ],
  [
    'holders',
    'reportWaits',
    { ...report, holders: times(limits.waitsMax, () => ({ id: 1, gid: 'g' })) },
    { ...report, holders: times(limits.waitsMax + 1, () => ({ id: 1, gid: 'g' })) },
    'LIMIT_EXCEEDED',
  ],
  [
    'connections',
    'reportWaits',
    { ...report, connections: times(limits.waitsMax, () => ({ database: 'd', id: 1 })) },
    { ...report, connections: times(limits.waitsMax + 1, () => ({ database: 'd', id: 1 })) },
    'LIMIT_EXCEEDED',
  ],
  [
    'name of a database',
    'reportWaits',
    { ...report, waits: [{ ...wait, database: 'd'.repeat(64) }] },
    { ...report, waits: [{ ...wait, database: 'd'.repeat(65) }] },
    'INVALID_REQUEST',
  ],
  [
    'page',
    'list',
    { limit: limits.pageSizeMax },
    { limit: limits.pageSizeMax + 1 },
    'INVALID_REQUEST',
  ],
  [
    'cursor',
    'list',
    { cursor: 'c'.repeat(cursorLengthMax) },
    { cursor: 'c'.repeat(cursorLengthMax + 1) },
    'LIMIT_EXCEEDED',
  ],
];

test.each(cases)('%s', (_what, verb, at, past, verdict) => {
  expect(validators[verb](at)).toBeNull();
  expect(validators[verb](past)).toMatchObject({ code: verdict });
});

test('a reason of any length is taken: it is cut, never refused', () => {
  const reason = 'r'.repeat(limits.detailLengthMax + 1);
  expect(validators.decide({ gid: 'g', direction: 'rollback', reason })).toBeNull();
});

test('depth is counted from the outside', () => {
  expect(isShallow('text', 0)).toBe(true);
  expect(isShallow([[]], 2)).toBe(true);
  expect(isShallow([[]], 1)).toBe(false);
  expect(isShallow({ a: { b: 1 } }, 2)).toBe(true);
});

describe('sentences for people', () => {
  const at = (branch: unknown) =>
    validators.begin({ gid: 'g', branches: [{ participant }, branch] });
  test.each<readonly [string, unknown, string]>([
    ['no participant', {}, 'branches[1].participant: is missing'],
    [
      'an empty one',
      { participant: {} },
      'branches[1].participant: needs either service and method, or url',
    ],
    [
      'half of one',
      { participant: { service: 'a' } },
      'branches[1].participant: needs either service and method, or url',
    ],
    [
      'text',
      { participant: 'a' },
      'branches[1].participant: needs either service and method, or url',
    ],
    [
      'both',
      { participant: { ...participant, url: 'http://a' } },
      'branches[1].participant.service: is not a known field',
    ],
    [
      'a number as method',
      { participant: { service: 'a', method: 1 } },
      'branches[1].participant.method: must be a string',
    ],
    ['another kind', { participant, kind: 'xa' }, 'branches[1].kind: must be one of tcc, at'],
    [
      'an extra field',
      { participant, 'pay/load': 1 },
      'branches[1].pay/load: is not a known field',
    ],
    [
      'ftp',
      { participant: { url: 'ftp://a/b' } },
      'branches[1].participant.url: must be an http or https address without user, query or fragment',
    ],
    [
      'a user in the url',
      { participant: { url: 'http://u:p@a/b' } },
      'branches[1].participant.url: must be an http or https address without user, query or fragment',
    ],
    [
      'a query',
      { participant: { url: 'http://a/b?c' } },
      'branches[1].participant.url: must be an http or https address without user, query or fragment',
    ],
    [
      'a payload that nobody would get',
      { kind: 'at', participant, payload: { cents: 5 } },
      'branches[1].payload: must be null or left out for kind at',
    ],
  ])('%s', (_what, branch, detail) => {
    expect(at(branch)).toEqual({ code: 'INVALID_REQUEST', detail });
  });

  test('kinds mix', () => {
    expect(at({ kind: 'at', participant })).toBeNull();
    expect(at({ kind: 'at', participant, payload: null })).toBeNull();
    expect(at({ kind: 'tcc', participant, payload: 5 })).toBeNull();
  });

  test('types are not coerced and fields are not removed', () => {
    const body = { gid: 'g', timeoutMs: '1000' };
    expect(validators.begin(body)).toEqual({
      code: 'INVALID_REQUEST',
      detail: 'timeoutMs: must be an integer',
    });
    expect(body).toEqual({ gid: 'g', timeoutMs: '1000' });
  });

  test('the whole body', () => {
    for (const body of [null, 1, 'x', [], undefined]) {
      expect(validators.list(body)).toEqual({
        code: 'INVALID_REQUEST',
        detail: 'The body must be a JSON object.',
      });
    }
  });
});
