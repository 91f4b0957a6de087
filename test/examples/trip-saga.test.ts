/** examples/trip-saga as a user runs it: the story it tells, with the hotel's death in it. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startService, temporaryFolder } from '../../examples/processes.ts';
import type { CarSettings } from '../../examples/trip-saga/car.ts';
import { runAsUser } from './run-as-user.ts';

test('one trip is booked, one is undone, one is booked although the hotel dies', async () => {
  const ran = await runAsUser('npm start --silent -w @settle/example-trip-saga');
  expect(ran.code, ran.stderr + ran.stdout).toBe(0);
  expect(ran.stderr).toBe('');
  expect(ran.stdout.trimEnd()).toBe(expectedStory);
});

test('the car, which has no SDK, rents once, undoes once, and refuses a run after its undo', async () => {
  await using folder = await temporaryFolder();
  const settings: CarSettings = { file: join(folder.path, 'car.db') };
  const file = join(import.meta.dirname, '../../examples/trip-saga/car.ts');
  await using car = await startService<{ address: string }>(file, settings);
  const { address } = car.hello;
  const ask = async (operation: 'run' | 'undo', gid: string) => {
    const response = await fetch(`${address}/car/${operation}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'settle-gid': gid, 'settle-branch': '3' },
      body: JSON.stringify({ gid, branchId: 3, operation, payload: { city: 'Oslo' } }),
    });
    return [response.status, await response.json()];
  };
  const reserved = async () => (await fetch(`${address}/reservations`)).json();
  const red = [200, { car: 'red car' }];
  const tooLate = [409, { error: 'this came too late' }];
  expect([await ask('run', 'g-1'), await ask('run', 'g-1')]).toEqual([red, red]);
  expect(await reserved()).toEqual([{ name: 'red car', trip: 'g-1' }]);
  expect([await ask('undo', 'g-1'), await ask('undo', 'g-1')]).toEqual([done, done]);
  expect(await reserved()).toEqual([]);
  expect(await ask('run', 'g-1')).toEqual(tooLate);
  expect([await ask('undo', 'g-2'), await ask('run', 'g-2')]).toEqual([done, tooLate]);
  expect(await reserved()).toEqual([]);
});

const done = [200, null];
const expectedStory = `
trip-1: Ada to Oslo
  flight  seat 12A to Oslo for Ada
  hotel   room 101 in Oslo for Ada
  car     red car in Oslo
  booked: {"flight":{"seat":"seat 12A"},"hotel":{"room":"room 101"},"car":{"car":"red car"}}
trip-2: Grace to Rome
  flight  seat 7C to Rome for Grace
  hotel   room 5 in Rome for Grace
  hotel   room 5 is free again
  flight  seat 7C is free again
  ROLLED_BACK: cause: refused (branch 3): run refused: no car in Rome
trip-3: Edsger to Oslo
  flight  seat 12B to Oslo for Edsger
  hotel   room 102 in Oslo for Edsger
  hotel   (killed after its commit, before its answer; starts again)
  car     blue car in Oslo
  booked: {"flight":{"seat":"seat 12B"},"hotel":{"room":"room 102"},"car":{"car":"blue car"}}

Reserved:
  flight  seat 12A (trip-1), seat 12B (trip-3)
  hotel   room 101 (trip-1), room 102 (trip-3)
  car     red car (trip-1), blue car (trip-3)
Each trip has all or nothing.`.trimStart();
