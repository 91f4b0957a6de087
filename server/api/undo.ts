/**
 * What operators see and do about rows under automatic undo. Only over HTTP: it is no business of
 * services.
 */
import { asked, type Route, route } from './route.ts';

/** The routes of undo rows and locks. */
export function undoRoutes(): readonly Route[] {
  const undo = '/v1/transactions/{gid}/undo';
  return [
    route({
      method: 'GET',
      path: undo,
      summary: 'Rows with undo rows of this transaction: as they were, were left, and are now.',
      verb: 'undo',
      answer: 'UndoAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.undo(request, done)),
    }),
    route({
      method: 'POST',
      path: `${undo}/resolve`,
      summary: 'Roll the branches of one resource back, with choices for dirty rows.',
      verb: 'resolve',
      isLogged: true,
      roles: ['operator'],
      answer: 'ResolvedAnswer',
      ask: ({ desk, who }, request) => desk.resolve(request, who),
    }),
    route({
      method: 'GET',
      path: '/v1/resources/{service}/{resource}/locks',
      summary: 'Rows that global transactions hold in the database of a resource.',
      verb: 'locks',
      answer: 'LocksAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.locks(request, done)),
    }),
  ];
}
