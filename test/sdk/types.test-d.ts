/**
 * What must compile, and what must not. The compiler is the test: `npm run types` fails when an
 * expected error is missing. Nothing here ever runs.
 */
import type { Kysely, Transaction } from 'kysely';
import type { Pool as MysqlPool, PoolConnection } from 'mysql2/promise';
import type { Pool as PgPool, PoolClient } from 'pg';
import type { Json, Settle, StandardSchema } from '../../client-sdk/index.ts';

interface Bank {
  readonly account: { readonly id: string; readonly cents: number };
}
interface Transfer {
  readonly account: string;
  readonly cents: number;
}

declare const settle: Settle;
declare const bank: Kysely<Bank>;
declare const pg: PgPool;
declare const mysql: MysqlPool;
declare const transferSchema: StandardSchema<{ account: string; cents: string }, Transfer>;

/** Fails to compile unless the value has exactly this type. */
function exactly<Expected>(): <Actual>(
  value: Actual,
  ..._proof: Same<Actual, Expected> extends true ? [] : [never]
) => void {
  return () => undefined;
}
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

const none = { confirm: () => undefined, cancel: () => undefined };

export async function tccMethods(): Promise<void> {
  const debit = settle.tcc('debit', {
    db: bank,
    try: async (trx, input: Transfer, call) => {
      exactly<Transaction<Bank>>()(trx);
      exactly<'try'>()(call.operation);
      return { left: input.cents };
    },
    confirm: async (trx, input, call) => {
      exactly<Transaction<Bank>>()(trx);
      exactly<Transfer>()(input);
      exactly<{ left: number } | undefined>()(call.tried);
    },
    cancel: async (_trx, _input, call) => exactly<{ left: number } | undefined>()(call.tried),
  });
  exactly<{ left: number }>()(await debit({ account: 'a', cents: 5 }));
  // @ts-expect-error: wrong type of a field
  await debit({ account: 'a', cents: '5' });
  // @ts-expect-error: a field is missing
  await debit({ account: 'a' });
  // @ts-expect-error: a method without input takes a value all the same
  await debit();

  const checked = settle.tcc('checked', {
    input: transferSchema,
    try: (_db, input) => {
      exactly<Transfer>()(input);
      return input.cents;
    },
    ...none,
  });
  exactly<number>()(await checked({ account: 'a', cents: '5' }));
  // @ts-expect-error: callers give what the schema takes, not what it makes of it
  await checked({ account: 'a', cents: 5 });
}

export function databases(): void {
  settle.tcc('pg', { db: pg, try: (trx, _: null) => exactly<PoolClient>()(trx), ...none });
  settle.tcc('my', { db: mysql, try: (trx, _: null) => exactly<PoolConnection>()(trx), ...none });
  settle.tcc('no', { try: (trx, _: null) => exactly<undefined>()(trx), ...none });
  settle.tcc('sharded', {
    db: (input: Transfer) => (input.account < 'm' ? bank : bank),
    try: (trx, input) => {
      exactly<Transaction<Bank>>()(trx);
      exactly<Transfer>()(input);
    },
    ...none,
  });
  // @ts-expect-error: an object that is no database
  settle.tcc('bad', { db: { query: () => 1 }, try: () => 1, ...none });
  // @ts-expect-error: cancel is missing
  settle.tcc('half', { try: () => 1, confirm: () => undefined });
}

export async function remotes(): Promise<void> {
  const book = settle.remote<{ room: number }, string>({ service: 'hotel', method: 'book' });
  exactly<string>()(await book({ room: 1 }));
  // @ts-expect-error: wrong input
  await book({ room: 'one' });
  // @ts-expect-error: neither a url nor a service with its method
  settle.remote({ service: 'hotel' });
}

export async function transactions(): Promise<void> {
  const value = await settle.transaction({ timeout: '5s', wait: 'decided' }, async (tx) => {
    exactly<string>()(tx.gid);
    return 7;
  });
  exactly<number>()(value);
  exactly<string>()(await settle.transaction({ timeout: 500 }, () => 'now'));
  // @ts-expect-error: no such unit
  await settle.transaction({ timeout: '5d' }, () => 1);
  // @ts-expect-error: `submitted` belongs to sagas
  await settle.transaction({ wait: 'submitted' }, () => 1);
}

const car = { participant: { url: 'http://127.0.0.1:7500/car' } } as const;

export async function sagas(): Promise<void> {
  const trip = settle
    .saga<{ days: number }, Kysely<Bank>>('trip', { db: bank, timeout: '1m' })
    .step('flight', {
      run: async (trx, { input, results, call }) => {
        exactly<Transaction<Bank>>()(trx);
        exactly<{ days: number }>()(input);
        // @ts-expect-error: nothing comes before the first step
        results.flight;
        exactly<'run'>()(call.operation);
        return { seat: input.days };
      },
      undo: (_trx, { result }) => exactly<{ seat: number } | undefined>()(result),
    })
    .step('hotel', {
      db: pg,
      run: (trx, { results }) => {
        exactly<PoolClient>()(trx);
        exactly<number>()(results.flight.seat);
        return `room ${results.flight.seat}`;
      },
    })
    .step('mail', {
      after: [],
      // @ts-expect-error: flight is not before a step that comes after none
      run: (_trx, { results }) => results.flight,
    })
    .step('car', { after: ['hotel'], ...car })
    .step('bill', {
      after: ['car', 'mail'],
      pivot: true,
      run: (_trx, { results }) => {
        exactly<{ seat: number }>()(results.flight);
        exactly<string>()(results.hotel);
        exactly<Json>()(results.car);
        return 1;
      },
    });

  const outcome = await settle.run(trip, { days: 3 }, { id: 'order-7' });
  if (outcome.phase === 'committed') {
    exactly<string>()(outcome.results.hotel);
    exactly<number>()(outcome.results.bill);
    // @ts-expect-error: no such step
    outcome.results.boat;
  } else {
    exactly<null>()(outcome.results);
  }
  // @ts-expect-error: wrong input
  await settle.run(trip, { days: 'three' });
  // @ts-expect-error: rolled back sagas throw, so there is no such phase
  outcome.phase === 'rolledBack';
}

export async function wrongSagas(): Promise<void> {
  const one = settle.saga('trip').step('flight', { run: () => 1 });
  // @ts-expect-error: the name is taken
  one.step('flight', { run: () => 1 });
  // @ts-expect-error: the name is taken, elsewhere too
  one.step('flight', car);
  // @ts-expect-error: there is no such step
  one.step('hotel', { after: ['bus'], run: () => 1 });
  // @ts-expect-error: there is no such step, elsewhere too
  one.step('hotel', { after: ['bus'], ...car });
  // @ts-expect-error: a step does not come after itself
  one.step('hotel', { after: ['hotel'], run: () => 1 });
  // @ts-expect-error: a pivot is asked until it answers
  one.step('hotel', { pivot: true, attempts: 3, run: () => 1 });
  // @ts-expect-error: a step either runs here or lives elsewhere
  one.step('hotel', { ...car, run: () => 1 });
  // @ts-expect-error: undo gets the result of its own run
  one.step('hotel', { run: () => 1, undo: (_trx, { result }) => result?.room });

  const checked = settle.saga('checked', { input: transferSchema }).step('one', {
    run: (_db, { input }) => exactly<Transfer>()(input),
  });
  await settle.run(checked, { account: 'a', cents: '5' });
  // @ts-expect-error: `run` takes what the schema takes
  await settle.run(checked, { account: 'a', cents: 5 });
  // @ts-expect-error: `decided` belongs to transactions
  await settle.run(checked, { account: 'a', cents: '5' }, { wait: 'decided' });
}
