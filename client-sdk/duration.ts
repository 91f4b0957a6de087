/** Durations as users write them: milliseconds, or a number with a unit. Nothing else lives here. */
import { SettleError } from './errors.ts';

/** Milliseconds, or `'250ms'`, `'10s'`, `'5m'`, `'1h'`; fractions are allowed, signs are not. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h'}`;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * The duration in whole milliseconds, `min` and `max` included. `name` is the setting it belongs
 * to, for the error INVALID_REQUEST.
 */
export function durationMs(
  name: string,
  duration: Duration,
  range: { readonly min: number; readonly max: number },
): number {
  const ms = Math.round(typeof duration === 'number' ? duration : parse(duration));
  if (ms >= range.min && ms <= range.max) return ms;
  throw new SettleError(
    'INVALID_REQUEST',
    `${name} is ${JSON.stringify(duration)}; it takes ${range.min} to ${range.max} milliseconds, ` +
      `as a number or like '250ms', '10s', '5m', '1h'`,
  );
}

/** NaN when it is none: NaN is in no range. */
function parse(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  return Number(match?.[1]) * (unitMs[match?.[2] ?? ''] ?? Number.NaN);
}
