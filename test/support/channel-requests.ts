/** What tests ask over the channel by hand, and the usual answer of a scripted coordinator. */
import type { Problem, TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import type { Coordinator } from '../../server/engine/coordinator.ts';
import type { ChannelClient } from './channel-client.ts';

/** What any request may be answered with here. */
export function stateOf(gid: string): TransactionAnswer {
  return { gid, mode: 'transaction', phase: 'active', cause: null, deadlineAtMs: null };
}

/** Begins at once. */
export const beginning: Partial<Coordinator> = {
  begin: ({ gid }, answered) => answered({ ok: true, body: stateOf(gid) }),
};

/** A begin of `g-<id>`, unless the test wants something else. */
export function request(id: number, body: unknown = { gid: `g-${id}` }, verb = 'begin'): object {
  return { kind: 'request', id, verb, body };
}

/** What is wrong with the request, if that is what it was answered. */
export function problemIn(client: ChannelClient, id: number): Problem | undefined {
  const message = client.answerTo(id);
  return message?.kind === 'problem' ? message.problem : undefined;
}
