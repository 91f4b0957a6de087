/** Gates: tests hold an operation open at a known place and let it go on, instead of sleeping. */
import type { Barrier } from '../../client-sdk/participant/barrier.ts';

/** Passed by one operation, held by the test. */
export interface Gate {
  /** Resolves when the operation has come to the gate. */
  readonly entered: Promise<void>;
  /** Called by the operation: waits until the test opens the gate, or throws what it fails with. */
  pass(): Promise<null>;
  open(): void;
  fail(error: Error): void;
}

/** A closed gate. */
export function gate(): Gate {
  const entered = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<null>();
  // A gate that fails before anybody has come is no unhandled rejection.
  opened.promise.catch(() => undefined);
  return {
    entered: entered.promise,
    pass() {
      entered.resolve();
      return opened.promise;
    },
    open: () => opened.resolve(null),
    fail: (error) => opened.reject(error),
  };
}

/** The same barrier, each local transaction held at the gate after its work, before its commit. */
export function afterWork<Trx>(barrier: Barrier<Trx>, held: Gate): Barrier<Trx> {
  return {
    transact: (work) =>
      barrier.transact(async (local) => {
        const outcome = await work(local);
        await held.pass();
        return outcome;
      }),
  };
}
