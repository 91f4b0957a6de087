/**
 * How long a demo waits for its processes, and what it says when that was in vain. Invariant: no
 * wait of a demo is for ever, and a child that ends by itself ends every wait.
 */
import { DemoFailure } from './demo-failure.ts';
import type { Supervisor } from './supervisor.ts';

/** Two busy cores may need seconds to start seven processes; a minute means that something hangs. */
export const patienceMs = 60_000;

/** The work, unless a child ends by itself first: then its last words are the reason. */
export async function unlessFailed<T>(supervisor: Supervisor, work: Promise<T>): Promise<T> {
  const failed = supervisor.failed.then(({ name, how, tail }): never => {
    throw new DemoFailure(`${name} ended by itself (${how}). It wrote last:`, tail);
  });
  return Promise.race([work, failed]);
}

/** The work, or after `msMax` a DemoFailure that says `what`. */
export async function within<T>(
  work: Promise<T>,
  what: string,
  msMax: number = patienceMs,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(stuck(what, msMax)), msMax).unref();
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

/** The failure of a wait that was in vain. */
export function stuck(what: string, ms: number = patienceMs): DemoFailure {
  return new DemoFailure(`Nothing moved for ${ms / 1_000} s: ${what}.`);
}
