/**
 * Reports of waits as requests: who is asked, and how old the gids are. Which of them give way is
 * found in `wait-graph.ts`. Nothing of it is logged, and nothing here changes a transaction: the
 * service that is told to give way ends its own statement.
 */
import type { Gid, ReportWaitsAnswer } from '../../client-sdk/protocol/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Admission } from './admission.ts';
import type { Answered, Coordinator } from './coordinator.ts';
import { engineLimits } from './limits.ts';
import type { Registry } from './registry.ts';
import { type ReportedScope, WaitGraph } from './wait-graph.ts';

/** What reports need of the engine. */
export interface DeadlockPorts {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly mailboxes: Registry['mailboxes'];
}

/** The reports of one engine. */
export interface Deadlocks extends Pick<Coordinator, 'reportWaits'> {
  /** The gid is decided: its waits mean nothing any more. */
  decided(gid: Gid): void;
  /** Scopes that wait now. */
  waiting(): number;
  /** What was reported lately; times are those of the wall clock. */
  reported(): readonly ReportedScope[];
  /** Since start. */
  found(): number;
}

/** Nothing is reported yet. */
export function createDeadlocks({ clock, admission, mailboxes }: DeadlockPorts): Deadlocks {
  const graph = new WaitGraph({
    scopesMax: engineLimits.waitingScopesMax,
    forgetAfterMs: engineLimits.waitReportMs,
    judgeEveryMs: engineLimits.deadlockLookMs,
    claimsPerMs: engineLimits.waitClaimsPerMs,
  });
  /** A gid of the user's own counts from its begin, or from now. */
  const bornAtMs = (gid: Gid): number =>
    timeIn(gid) ?? mailboxes.get(gid)?.tx?.startedAtMs ?? clock.nowMs();

  return {
    reportWaits(request, answered: Answered<ReportWaitsAnswer>) {
      const refused = admission.work(request.gid);
      if (refused !== null) return answered(refused);
      const giveWay = graph.report(request, { nowMs: clock.monotonicMs(), bornAtMs });
      answered({ ok: true, body: { giveWay } });
    },
    decided: (gid) => graph.forget(gid),
    waiting: () => graph.waiting(clock.monotonicMs()),
    reported() {
      const offsetMs = clock.nowMs() - clock.monotonicMs();
      const oldestMs = clock.monotonicMs() - engineLimits.waitShownMs;
      return graph.reported(oldestMs).map((scope) => ({
        ...scope,
        waits: scope.waits.map((wait) => ({
          ...wait,
          sinceMs: Math.round(wait.sinceMs + offsetMs),
        })),
      }));
    },
    found: () => graph.found,
  };
}

/** The milliseconds of a UUIDv7, which is what gids are by default. */
function timeIn(gid: Gid): number | null {
  const parts = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.exec(gid);
  return parts === null ? null : Number.parseInt(`${parts[1]}${parts[2]}`, 16);
}
