/** One question to every instance of some services at once, each answer waited for so long. */
import type { Call, CallAnswer } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Channel } from './participants.ts';

/** Somebody who was asked. `took`: milliseconds; null answer: none came in time. */
export interface Told {
  readonly service: string;
  readonly instance: string;
  readonly answer: CallAnswer | null;
  readonly tookMs: number;
}

/** The transport's own time-out comes after ours, which tells silence from a lost connection. */
export const graceMs = 1_000;

/** What is needed to ask. */
export interface AskingPorts {
  readonly clock: Clock;
  readonly channel: Pick<Channel, 'askEach'>;
}

/** One promise for each instance that is connected; none of them rejects. */
export function askInstances(
  { clock, channel }: AskingPorts,
  service: string,
  call: Call,
  timeoutMs: number,
): readonly Promise<Told>[] {
  const waiting = new Map<string, ((answer: CallAnswer) => void)[]>();
  const instances = channel.askEach(service, call, timeoutMs + graceMs, (instance, answer) => {
    // Two connections may have one name while a process reconnects: first asked, first told.
    waiting.get(instance)?.shift()?.(answer);
  });
  return instances.map(async (instance) => {
    const asked = timed<CallAnswer>(clock, timeoutMs, (answered) => {
      waiting.set(instance, [...(waiting.get(instance) ?? []), answered]);
    });
    return { service, instance, ...(await asked) };
  });
}

/** The first answer, or null when the time is over, and how long that took. */
export function timed<T>(
  clock: Clock,
  timeoutMs: number,
  ask: (answered: (answer: T) => void) => void,
): Promise<{ readonly answer: T | null; readonly tookMs: number }> {
  return new Promise((resolve) => {
    const startMs = clock.monotonicMs();
    const end = (answer: T | null) => resolve({ answer, tookMs: clock.monotonicMs() - startMs });
    const cancel = clock.after(timeoutMs, () => end(null));
    ask((answer) => {
      cancel();
      end(answer);
    });
  });
}
