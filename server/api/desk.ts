/** What operators do to transactions, and the record of it. Only over HTTP. */
import { type Route, route } from './route.ts';

/** The routes of the desk. */
export function deskRoutes(): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/operations',
      summary: 'Retry, roll back, skip or resolve: named transactions, or all that a query finds.',
      verb: 'operate',
      roles: ['operator'],
      answer: 'OperationAnswer',
      ask: ({ desk, who }, request) => desk.operate(request, who),
    }),
    route({
      method: 'GET',
      path: '/v1/audit',
      summary: 'What operators have done, newest first.',
      verb: 'audit',
      roles: ['viewer', 'operator'],
      answer: 'AuditAnswer',
      ask: ({ desk }, request) => desk.audit(request),
    }),
    route({
      method: 'GET',
      path: '/v1/audit/verify',
      summary: 'Whether every entry of the audit is as it was written. Reads all of it.',
      verb: 'verifyAudit',
      roles: ['viewer', 'operator'],
      answer: 'AuditVerdict',
      ask: ({ desk }) => desk.verifyAudit(),
    }),
    route({
      method: 'GET',
      path: '/v1/doctor',
      summary: 'Looks log, clocks, access and participants over; each finding with its remedy.',
      verb: 'doctor',
      roles: ['viewer', 'operator'],
      answer: 'DoctorAnswer',
      ask: ({ desk }) => desk.doctor(),
    }),
  ];
}
