/** How much the channel takes in one turn of the event loop, and that nothing is lost by waiting. */
import { describe, expect, test } from 'vitest';
import { Turn } from '../../server/api/turn.ts';
import type { Coordinator } from '../../server/engine/coordinator.ts';
import { request, stateOf } from '../support/channel-requests.ts';
import { serveChannel } from '../support/channel-server.ts';

describe('a turn', () => {
  test('is over when enough was taken, and the next one begins at the end of the tick', () => {
    const due: (() => void)[] = [];
    const turn = new Turn((callback) => due.push(callback), 10);
    const begun: string[] = [];
    expect(turn.take(9)).toBe(false);
    expect(turn.take(1)).toBe(true);
    turn.next(() => begun.push('first'));
    expect(turn.take(1)).toBe(true);
    turn.next(() => begun.push('second'));
    expect(due).toHaveLength(1);
    due.shift()?.();
    expect(begun).toEqual(['first', 'second']);
    expect(turn.take(1)).toBe(false);
    expect(due).toHaveLength(1);
  });
});

describe('the channel', () => {
  test('reads on in the next turn, and takes everything in the end', async () => {
    let turnNo = 0;
    let isCounting = true;
    const count = (): void => {
      turnNo += 1;
      if (isCounting) setImmediate(count);
    };
    const takenIn: number[] = [];
    const coordinator: Partial<Coordinator> = {
      begin: ({ gid }, answered) => {
        takenIn.push(turnNo);
        answered({ ok: true, body: stateOf(gid) });
      },
    };
    const server = await serveChannel({ coordinator, limits: { turnMessagesMax: 1 } });
    const client = await server.client().hello();
    count();
    for (let id = 1; id <= 40; id += 1) client.send(longRequest(id));
    await client.messages.count(41);
    isCounting = false;
    expect(takenIn).toHaveLength(40);
    const inOneTurn = [...Map.groupBy(takenIn, (turn) => turn).values()].map((of) => of.length);
    // One frame, and what was in the same chunk of the socket.
    expect(Math.max(...inOneTurn)).toBeLessThanOrEqual(3);
  });
});

/** About as long as what is read from a socket at once. */
function longRequest(id: number): object {
  const payload = 'x'.repeat(50_000);
  const branches = [{ participant: { service: 'bank', method: 'debit' }, payload }];
  return request(id, { gid: `g-${id}`, branches });
}
