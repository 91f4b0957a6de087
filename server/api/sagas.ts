/**
 * Resource `/v1/sagas`: global transactions whose steps decide. Guards that an address under
 * /v1/sagas never shows or changes a transaction of another mode.
 */
import type { GetRequest, TransactionView } from '../../client-sdk/protocol/index.ts';
import type { Answer, Coordinator } from '../engine/coordinator.ts';
import { asked, type Route, route } from './route.ts';

/** The routes of this resource. */
export function sagaRoutes(): readonly Route[] {
  const one = '/v1/sagas/{gid}';
  return [
    route({
      method: 'POST',
      path: '/v1/sagas',
      summary: 'Submit a saga. Idempotent by gid and content.',
      verb: 'submit',
      isGidOptional: true,
      status: 201,
      answer: 'TransactionAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.submit(request, done)),
    }),
    route({
      method: 'POST',
      path: `${one}/rollback`,
      summary: 'Roll a saga back, unless its pivot was asked. Idempotent.',
      verb: 'decide',
      constants: { direction: 'rollback' },
      answer: 'TransactionAnswer',
      async ask({ coordinator }, request) {
        const saga = await getSaga(coordinator, { gid: request.gid });
        if (!saga.ok) return saga;
        return asked((done) => coordinator.decide(request, done));
      },
    }),
    route({
      method: 'GET',
      path: one,
      summary: 'Read a saga, at once or when it is decided or completed.',
      verb: 'get',
      answer: 'TransactionView',
      ask: ({ coordinator }, request) => getSaga(coordinator, request),
    }),
    route({
      method: 'GET',
      path: '/v1/sagas',
      summary: 'List sagas, by start.',
      verb: 'list',
      constants: { mode: 'saga' },
      answer: 'ListAnswer',
      ask: ({ coordinator }, request) => asked((done) => coordinator.list(request, done)),
    }),
  ];
}

/** The mode of a gid never changes, so nothing can come between this check and what follows it. */
async function getSaga(
  coordinator: Coordinator,
  request: GetRequest,
): Promise<Answer<TransactionView>> {
  const answer = await asked<TransactionView>((done) => coordinator.get(request, done));
  if (!answer.ok || answer.body.mode === 'saga') return answer;
  const detail = `${request.gid} is no saga; its address is /v1/transactions/${request.gid}.`;
  return { ok: false, code: 'WRONG_MODE', detail };
}
