/**
 * What participants and initiators of the demo have in common: a connection that waits for a
 * coordinator that is just being restarted, and a graceful end.
 */
import { type ConnectOptions, connect, type Settle, SettleError } from '@settle/client';

/**
 * Connects, however long the coordinator is away: the demo kills it on purpose, and ends its
 * children itself when it gives up. Throws what `connect` throws for other reasons.
 */
export async function connectPatiently(options: ConnectOptions): Promise<Settle> {
  for (;;) {
    try {
      return await connect(options);
    } catch (error) {
      if (!(error instanceof SettleError && error.code === 'UNREACHABLE')) throw error;
    }
  }
}

/** Resolves when its methods are known, however long the coordinator is away. Throws what else came. */
export async function readyPatiently(settle: Settle): Promise<void> {
  for (;;) {
    try {
      return await settle.ready();
    } catch (error) {
      if (!(error instanceof SettleError && error.code === 'UNREACHABLE')) throw error;
    }
  }
}

/** At SIGTERM: closes in order, then ends the process. What fails is on stderr; it ends anyway. */
export function endGracefully(close: () => Promise<void>): void {
  process.once('SIGTERM', () => {
    close()
      .catch((error: unknown) => console.error(error))
      .finally(() => process.exit());
  });
}
