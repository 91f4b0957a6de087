/** What CLI and console say of an entry of the audit: whom it concerns, and what came of it. */
import { expect, it } from 'vitest';
import { auditOutcome } from '../../client-sdk/protocol/audit-outcome.ts';
import { about } from '../../server/console/screens/audit-words.ts';

it('tells whom an entry is about', () => {
  const nobody = { gids: [], service: null, isQuery: false };
  expect(about({ target: { gids: ['a', 'b'] } })).toEqual({ ...nobody, gids: ['a', 'b'] });
  expect(about({ target: { gids: ['a'], query: {} } })).toMatchObject({ isQuery: true });
  expect(about({ target: { gid: 'a', branchId: 1 } })).toEqual({ ...nobody, gids: ['a'] });
  expect(about({ target: { service: 'mail' } })).toEqual({ ...nobody, service: 'mail' });
  expect(about({ target: null })).toEqual(nobody);
});

it.each([
  [{ a: 'committing', b: 'rolledBack' }, 'done', 'good'],
  [{ a: 'NOT_FOUND' }, 'refused (NOT_FOUND)', 'bad'],
  [{ a: 'NOT_FOUND', b: 'CONFLICT' }, 'refused', 'bad'],
  [{ a: 'UNKNOWN' }, 'not known (UNKNOWN)', 'warn'],
  [{ a: 'active', b: 'UNKNOWN' }, '1 done, 1 not known', 'warn'],
  [{ a: 'active', b: 'active', c: 'CONFLICT' }, '2 done, 1 refused', 'bad'],
])('says of transactions that became %j: %s', (after, text, tone) => {
  expect(auditOutcome({ action: 'tx.retry', after })).toEqual({ text, tone });
});

it('says of other changes whether they were refused', () => {
  const action = 'undo.resolve';
  const refused = { refused: 'AT_DIRTY_ROW', detail: 'changed since' };
  expect(auditOutcome({ action, after: refused }).text).toBe('refused (AT_DIRTY_ROW)');
  expect(auditOutcome({ action, after: { rows: 2 } }).text).toBe('done');
  expect(auditOutcome({ action: 'participant.drain', after: { isDrained: true } }).tone).toBe(
    'good',
  );
});
