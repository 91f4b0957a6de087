/**
 * `/healthz`: the process is alive. `/readyz`: it may be sent work, or why not. Neither asks the
 * log anything, so that probes cost nothing and cannot hang.
 */
import type { EngineStats } from '../engine/coordinator.ts';

/** A log that has not answered for so long counts as away; the engine refuses new work by then, too. */
export const logStallMs = 2_000;

/** Why the coordinator should get no new work; empty when it should. */
export function reasonsNotReady(stats: EngineStats): readonly string[] {
  const reasons: string[] = [];
  if (stats.state !== 'running' && stats.state !== 'recovering') {
    reasons.push(`the engine is ${stats.state}`);
  }
  if (stats.oldestPendingMs > logStallMs) {
    reasons.push(`the log has not answered for ${Math.round(stats.oldestPendingMs)} ms`);
  }
  return reasons;
}
