/** How a transaction of the bench that threw has ended. */
import { SettleError } from '@settle/client';
import type { Ending } from './load.ts';
import type { WorkerSettings } from './messages.ts';

/** Whether the SDK threw it, with this code. */
export function isCode(error: unknown, code: SettleError['code']): boolean {
  return error instanceof SettleError && error.code === code;
}

/**
 * Refused early: the coordinator, or in an open loop the SDK because as many as the coordinator
 * allows were under way, took nothing. An error of the commit has a cause; what fails there had
 * been taken, and is no refusal.
 */
export function endingOf(error: unknown, { ratePerSecond }: WorkerSettings): Ending {
  const isUntaken =
    isCode(error, 'OVERLOADED') ||
    isCode(error, 'LOG_UNAVAILABLE') ||
    (ratePerSecond !== null && isCode(error, 'UNREACHABLE'));
  if (!(error instanceof Error)) return { error: String(error), isUnknown: false };
  if (isUntaken && error.cause === undefined) return 'refused';
  return { error: error.message, isUnknown: isCode(error, 'UNKNOWN') };
}
