/** examples/trip-saga as a user runs it: the story it tells, with the hotel's death in it. */
import { expect, test } from 'vitest';
import { runAsUser } from './run-as-user.ts';

test('one trip is booked, one is undone, one is booked although the hotel dies', async () => {
  const ran = await runAsUser('npm start --silent -w @settle/example-trip-saga');
  expect(ran.code, ran.stderr + ran.stdout).toBe(0);
  expect(ran.stderr).toBe('');
  expect(ran.stdout.trimEnd()).toBe(expectedStory);
});

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
