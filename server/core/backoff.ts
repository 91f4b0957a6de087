/** How long to wait before an operation is asked again: capped, exponential, full jitter. */
export interface BackoffOptions {
  /** Upper bound of the first wait. */
  readonly initialMs: number;
  /** No wait is longer. */
  readonly capMs: number;
}

/**
 * The wait before the next attempt: uniform in (0, min(cap, initial × 2^(attempts-1))], at least 1 ms.
 * `random` is uniform in [0, 1). Full jitter spreads a herd best.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(attempts: number, options: BackoffOptions, random: number): number {
  // 2^30 ms is past every cap; the bound keeps the power finite after years of retries.
  const bound = Math.min(options.capMs, options.initialMs * 2 ** Math.min(attempts - 1, 30));
  return Math.max(1, Math.ceil(bound * random));
}
