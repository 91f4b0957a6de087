/** What a resource says of itself to operators: whether the tables of Settle are there, and how large. */
import type { CallAnswer, HealthAnswer } from '../protocol/index.ts';
import { inLook, type ResourcePorts } from './own-transaction.ts';
import { asJson } from './shown.ts';

/** Reads only; a table that is missing is part of the answer. */
export async function lookAtHealth<Native>(ports: ResourcePorts<Native>): Promise<CallAnswer> {
  const tables = await inLook(ports, (session) => ports.dialect.tables(session));
  const answer: HealthAnswer = { tables };
  return { outcome: 'done', result: asJson(answer) };
}
