/** Which trouble with a log is told as "it is away", and may pass by itself, and which is not. */
import { expect, test } from 'vitest';
import { logFailure } from '../../server/log/schema.ts';

const coded = (code: string) => Object.assign(new Error('the driver says so'), { code });

test.each([
  ['nobody listens', coded('ECONNREFUSED')],
  ['mysql2 lost it', coded('PROTOCOL_CONNECTION_LOST')],
  ['PostgreSQL was told to go down', coded('57P01')],
  ['PostgreSQL crashes', coded('57P02')],
  ['PostgreSQL starts up', coded('57P03')],
  ['the connection failed', coded('08006')],
  // pg 8 gives these no code; found by `npm run bank -- --seed 1`.
  ['pg lost it', new Error('Connection terminated unexpectedly')],
  ['pg lost it while it closed', new Error('Connection terminated')],
  ['pg gave up', new Error('timeout expired')],
])('%s: LOG_UNAVAILABLE', (_what, error) => {
  expect(logFailure('postgres://db/settle', error).code).toBe('LOG_UNAVAILABLE');
});

test.each([
  ['no such database', coded('3D000')],
  ['no right to write', coded('42501')],
])('%s: LOG_NOT_WRITABLE', (_what, error) => {
  expect(logFailure('postgres://db/settle', error).code).toBe('LOG_NOT_WRITABLE');
});
