/** What the tests of the SDK share: clients with short times, and ways to look at errors. */
import { expect } from 'vitest';
import { type ConnectOptions, type ConnectTuning, connectTuned } from '../../client-sdk/connect.ts';
import { type ErrorCode, SettleError, TerminalError } from '../../client-sdk/index.ts';
import type { Settle } from '../../client-sdk/settle.ts';
import type { StandardSchema } from '../../client-sdk/standard-schema.ts';

/** Times that let a test see the end of every wait. */
export const quick: ConnectTuning = {
  silenceMsMax: 20_000,
  backoff: { minMs: 1, maxMs: 5 },
  drainMsMax: 1_000,
  welcomeMsMax: 5_000,
};

/** A client of the service `bank`. */
export function connectTo(
  target: { readonly url: string },
  options: Partial<ConnectOptions> = {},
  tuning: Partial<ConnectTuning> = {},
): Promise<Settle> {
  const all = { url: target.url, service: 'bank', instance: 'bank-1', ...options };
  return connectTuned(all, { ...quick, ...tuning });
}

/** The SettleError that the promise rejects with; fails when it doesn't, or with another code. */
export async function settleErrorOf(
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<SettleError> {
  const error = await promise.then(
    (value) => value,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SettleError);
  if (!(error instanceof SettleError)) throw new Error('not a SettleError');
  expect(error.code, error.message).toBe(code);
  return error;
}

/** A schema that takes a number of cents, asynchronously, and makes a bigint of it. */
export const cents: StandardSchema<number, bigint> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async (value) => {
      for (let hop = 0; hop < 5; hop += 1) await null;
      return typeof value === 'number' && Number.isInteger(value)
        ? { value: BigInt(value) }
        : { issues: [{ message: 'expected whole cents', path: ['cents'] }] };
    },
  },
};

/** TCC handlers that do nothing, for methods whose try is what a test looks at. */
export const idle = { confirm: () => undefined, cancel: () => undefined } as const;

/** Methods of a bank whose tries answer, or refuse. */
export function methodsOf(settle: Settle) {
  return {
    debit: settle.tcc('debit', { input: cents, try: (_db, input) => `${input}`, ...idle }),
    credit: settle.tcc('credit', { try: async (_db, input: number) => input + 1, ...idle }),
    refuse: settle.tcc('refuse', {
      try: (): never => {
        throw new TerminalError('no money');
      },
      ...idle,
    }),
  };
}

/** Which hooks ran, by name and in order. */
export function hookLog(): { readonly ran: string[]; readonly hook: (name: string) => () => void } {
  const ran: string[] = [];
  return { ran, hook: (name) => () => void ran.push(name) };
}
