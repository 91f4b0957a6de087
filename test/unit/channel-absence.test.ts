/** A service that comes in the very tick in which it was missed. */
import { expect, test } from 'vitest';
import type { CallAnswer } from '../../client-sdk/protocol/index.ts';
import { createChannelTransport } from '../../server/dispatch/channel-transport.ts';
import { systemClock } from '../../server/runtime/clock.ts';

const call = {
  gid: 'g',
  branchId: 1,
  operation: 'confirm',
  method: 'debit',
  payload: null,
} as const;
const participant = { service: 'bank', method: 'debit' };
const connection = (methods: readonly string[]) => ({
  service: 'bank',
  instance: 'bank-1',
  methods,
  callsMax: 10,
  send: () => {},
});

/** What a call is answered when `meanwhile` happens before the tick ends. */
async function missed(
  meanwhile: (transport: ReturnType<typeof createChannelTransport>) => void,
): Promise<{ readonly answer: CallAnswer; readonly offered: readonly string[] }> {
  const offered: string[] = [];
  const transport = createChannelTransport({
    clock: systemClock(),
    offered: (service) => offered.push(service),
  });
  const answer = new Promise<CallAnswer>((resolve) => {
    transport.call(participant, call, 1_000, resolve);
  });
  meanwhile(transport);
  return { answer: await answer, offered };
}

test('is asked again soon, for its wake-up found nobody who waited', async () => {
  const { answer, offered } = await missed((transport) => {
    transport.attach(connection(['debit']));
  });
  expect(offered).toEqual(['bank']);
  expect(answer).toMatchObject({ outcome: 'unknown', asked: false });
  expect(answer).not.toHaveProperty('retryAfterMs');
});

test('is asked late while it is away, or offers something else', async () => {
  const away = await missed(() => {});
  expect(away.answer).toMatchObject({ asked: false, retryAfterMs: 20_000 });
  const other = await missed((transport) => {
    transport.attach(connection(['credit']));
  });
  expect(other.answer).toMatchObject({ asked: false, retryAfterMs: 20_000 });
});
