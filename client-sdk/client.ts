/** What every part of the SDK gets from `connect`: the channel, the host and the settings. */
import type { Channel } from './channel/channel.ts';
import { SettleError } from './errors.ts';
import type { Logger } from './logger.ts';
import type { Host } from './participant/host.ts';
import type { Cause, Gid, Tracer } from './protocol/index.ts';
import type { ScopeWatch } from './resource/waits.ts';

/** One connected client. */
export interface Client {
  readonly channel: Pick<Channel, 'request'>;
  readonly host: Pick<Host, 'offer'>;
  readonly service: string;
  /** How long a request may take, over all its repetitions. */
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
  /** Null: no spans. */
  readonly tracer: Tracer | null;
  /** Looks at what local transactions wait for. */
  readonly waits: ScopeWatch;
}

/** ROLLED_BACK, with the recorded cause; `null` when it could not be read. */
export function rolledBackError(gid: Gid, cause: Cause | null): SettleError {
  return new SettleError('ROLLED_BACK', cause === null ? '' : describe(cause), {
    gid,
    cause: cause ?? undefined,
  });
}

/** As {@link rolledBackError}, after asking the coordinator for the cause. Never rejects. */
export async function askWhyRolledBack(client: Client, gid: Gid): Promise<SettleError> {
  try {
    const view = await client.channel.request('get', { gid }, { timeoutMs: causeMsMax });
    return rolledBackError(gid, view.cause);
  } catch (error) {
    client.logger.debug({ gid, error }, 'the cause of the rollback could not be read');
    return rolledBackError(gid, null);
  }
}

/** The cause is a courtesy: the caller knows the outcome and should not wait long for the reason. */
const causeMsMax = 5_000;

function describe(cause: Cause): string {
  const branch = cause.branchId === undefined ? '' : ` (branch ${cause.branchId})`;
  const detail = cause.detail === undefined || cause.detail === '' ? '' : `: ${cause.detail}`;
  return `cause: ${cause.kind}${branch}${detail}`;
}
