/** Resource `/v1/transactions`: global transactions whose initiator decides, and lists of every mode. */
import { asked, type Route, route } from './route.ts';

const waitsRoute = route({
  method: 'POST',
  path: '/v1/transactions/{gid}/waits',
  summary: 'Report what a process waits for; tells it to give way when that is a deadlock.',
  verb: 'reportWaits',
  answer: 'ReportWaitsAnswer',
  ask: ({ coordinator }, request) => asked((done) => coordinator.reportWaits(request, done)),
});

/** The routes of this resource. */
export function transactionRoutes(): readonly Route[] {
  const one = '/v1/transactions/{gid}';
  return [
    route({
      method: 'POST',
      path: '/v1/transactions',
      summary: 'Begin a transaction. Idempotent by gid and content.',
      verb: 'begin',
      isGidOptional: true,
      status: 201,
      answer: 'TransactionAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.begin(request, done)),
    }),
    route({
      method: 'POST',
      path: `${one}/branches`,
      summary: 'Register branches. Idempotent by request. Durable before any try may run.',
      verb: 'register',
      answer: 'TransactionAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.register(request, done)),
    }),
    route({
      method: 'POST',
      path: `${one}/branches/{branchId}/try`,
      summary: 'Pass the try of a branch on to its participant.',
      verb: 'try',
      answer: 'TryAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.tryBranch(request, done)),
    }),
    route({
      method: 'POST',
      path: `${one}/commit`,
      summary: 'Decide to commit. Idempotent.',
      verb: 'decide',
      constants: { direction: 'commit' },
      answer: 'TransactionAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.decide(request, done)),
    }),
    route({
      method: 'POST',
      path: `${one}/rollback`,
      summary: 'Decide to roll back. Idempotent.',
      verb: 'decide',
      constants: { direction: 'rollback' },
      answer: 'TransactionAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.decide(request, done)),
    }),
    waitsRoute,
    route({
      method: 'GET',
      path: one,
      summary:
        'Read one global transaction of any mode, at once or when it is decided or completed.',
      verb: 'get',
      answer: 'TransactionView',
      ask: ({ coordinator }, request) => asked((done) => coordinator.get(request, done)),
    }),
    route({
      method: 'GET',
      path: '/v1/transactions',
      summary: 'List global transactions of every mode, by start.',
      verb: 'list',
      answer: 'ListAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.list(request, done)),
    }),
  ];
}
