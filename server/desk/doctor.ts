/**
 * Looks the whole installation over, for `settle doctor` and `GET /v1/doctor`: the log, the record of
 * what people did, who may get in, addresses that may be called, and participants. What each check says
 * is in `doctor-*.ts` and, for the log, in `server/log/`. Guards: a check that hangs or fails is itself a
 * finding and keeps none of the others; nothing is changed; no check runs twice at the same time,
 * however many people ask.
 */
import type { DoctorAnswer, Finding } from '../../client-sdk/protocol/index.ts';
import type { Coordinator } from '../engine/coordinator.ts';
import type { Clock } from '../runtime/clock.ts';
import { Failure } from '../runtime/failure.ts';
import { inOrder } from '../runtime/finding.ts';
import type { Audit } from './audit.ts';
import { type CallbackPorts, callbackFindings, doorFindings } from './doctor-door.ts';
import { type OpenPorts, openFindings } from './doctor-open.ts';
import { type ParticipantPorts, participantFindings } from './doctor-participants.ts';

/** What it looks at. */
export interface DoctorPorts extends ParticipantPorts, CallbackPorts, OpenPorts {
  /** Looks at the log from outside. */
  readonly log: () => Promise<readonly Finding[]>;
  readonly audit: Pick<Audit, 'verify'>;
  /** For the time of the answer, and for checks that hang. */
  readonly clock: Clock;
  readonly coordinator: Pick<Coordinator, 'openParticipants' | 'health' | 'census'>;
}

/** The doctor of one coordinator. */
export interface Doctor {
  /** Never rejects; answers within some twenty seconds. */
  examine(): Promise<DoctorAnswer>;
}

/** Longer than a connection to the log, or a question to a participant, may take. */
const partMsMax = 20_000;

/** A doctor; looks at nothing yet. */
export function createDoctor(ports: DoctorPorts): Doctor {
  const { clock } = ports;
  const parts = [
    once(clock, 'log.reach', ports.log),
    once(clock, 'audit.chain', () => auditFindings(ports.audit)),
    once(clock, 'transactions', async () => openFindings(ports)),
    once(clock, 'participant', () => participantFindings(ports)),
    once(clock, 'callbacks', () => callbackFindings(ports)),
    once(clock, 'access', async () => doorFindings(ports.door)),
  ];
  return {
    async examine() {
      const atMs = clock.nowMs();
      const findings = await Promise.all(parts.map((look) => look()));
      return { atMs, findings: findings.flat() };
    },
  };
}

type Look = () => Promise<readonly Finding[]>;

/** The same look for all who ask while it runs, and an answer when it takes too long. */
function once(clock: Clock, check: string, look: Look): Look {
  let running: Promise<readonly Finding[]> | null = null;
  return () => {
    running ??= look()
      .catch((error: unknown) => [failed(check, error)])
      .finally(() => {
        running = null;
      });
    return inTime(clock, check, running);
  };
}

async function inTime(
  clock: Clock,
  check: string,
  running: Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const late = Promise.withResolvers<readonly Finding[]>();
  const cancel = clock.after(partMsMax, () => late.resolve([unanswered(check)]));
  const findings = await Promise.race([running, late.promise]);
  cancel();
  return findings;
}

function unanswered(check: string): Finding {
  return {
    check,
    level: 'problem',
    seen: `There was no answer within ${partMsMax / 1_000} s.`,
    remedy: 'Look at the machine and the network on the way there, then ask again.',
  };
}

function failed(check: string, error: unknown): Finding {
  const text = error instanceof Failure ? `${error.code}: ${error.detail}` : String(error);
  const remedy = "Look into the coordinator's own log around this time, then ask again.";
  return { check, level: 'problem', seen: `It could not be looked at: ${text}`, remedy };
}

/** Whether the record of what people did is as it was written. Throws Failure LOG_UNAVAILABLE. */
export async function auditFindings(audit: Pick<Audit, 'verify'>): Promise<readonly Finding[]> {
  const { entries, head, brokenAt } = await audit.verify();
  const check = 'audit.chain';
  if (brokenAt === null) {
    const seen = `All ${entries} entries of the audit are as they were written; head ${head}.`;
    return [inOrder(check, seen)];
  }
  return [
    {
      check,
      level: 'problem',
      seen: `Entry ${brokenAt} of the audit is not as it was written, or is gone.`,
      remedy:
        "Find out who can write to the log's database; compare with a backup of the log, whose " +
        'entries up to there tell what was changed.',
    },
  ];
}
