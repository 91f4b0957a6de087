/** Participants: who is waited for and not there, and whether databases have the tables of Settle. */
import {
  type Finding,
  type HealthAnswer,
  rowsCountedMax,
  type TableHealth,
} from '../../client-sdk/protocol/index.ts';
import type { Answer, Coordinator } from '../engine/coordinator.ts';
import type { Clock } from '../runtime/clock.ts';
import { inOrder } from '../runtime/finding.ts';

/** What looking at participants needs. */
export interface ParticipantPorts {
  readonly clock: Clock;
  readonly coordinator: Pick<Coordinator, 'openParticipants' | 'health'>;
  /** Live connections of the channel. */
  readonly connected: () => readonly {
    readonly service: string;
    readonly methods: readonly string[];
  }[];
}

/** More resources are not asked. */
const resourcesMax = 64;
const resourcePrefix = 'at.';

/** All findings about participants. */
export async function participantFindings(ports: ParticipantPorts): Promise<readonly Finding[]> {
  const offered = new Map<string, Set<string>>();
  for (const { service, methods } of ports.connected()) {
    const known = offered.get(service) ?? new Set();
    for (const method of methods) known.add(method);
    offered.set(service, known);
  }
  const resources = [...offered].flatMap(([service, methods]) =>
    [...methods]
      .filter((method) => method.startsWith(resourcePrefix))
      .map((method) => ({ service, method })),
  );
  const asked = resources.slice(0, resourcesMax).map((one) => tableFindings(ports, one));
  return [
    ...silentFindings(ports, offered),
    ...(await Promise.all(asked)).flat(),
    ...leftOut(resources.length),
  ];
}

function silentFindings(
  { clock, coordinator }: ParticipantPorts,
  offered: ReadonlyMap<string, ReadonlySet<string>>,
): readonly Finding[] {
  const check = 'participant.silent';
  const silent: Finding[] = [];
  for (const { participant, transactions, oldestStartedAtMs } of coordinator.openParticipants()) {
    if ('url' in participant) continue;
    const { service, method } = participant;
    const methods = offered.get(service);
    if (methods?.has(method)) continue;
    const seconds = Math.max(0, Math.round((clock.nowMs() - oldestStartedAtMs) / 1_000));
    const open = `open transactions that wait for it: ${transactions}, the oldest for ${seconds} s`;
    silent.push({
      check,
      level: 'problem',
      seen:
        methods === undefined
          ? `Service ${service} is not connected (${service}/${method}: ${open}).`
          : `Service ${service} is connected, but nobody offers ${service}/${method} (${open}).`,
      remedy:
        methods === undefined
          ? `Start ${service}, or see why it does not reach this coordinator; its calls are made ` +
            'as soon as it connects.'
          : `Deploy a version of ${service} that offers ${method}; transactions that were begun ` +
            'with the older one need it.',
    });
  }
  if (silent.length > 0) return silent;
  return [
    inOrder(check, `Every open transaction finds its services; ${offered.size} are connected.`),
  ];
}

async function tableFindings(
  { coordinator }: ParticipantPorts,
  asked: { readonly service: string; readonly method: string },
): Promise<readonly Finding[]> {
  const { service, method } = asked;
  const name = `${service}/${method.slice(resourcePrefix.length)}`;
  const answer = await new Promise<Answer<HealthAnswer>>((done) => coordinator.health(asked, done));
  if (!answer.ok) return [unasked(name, answer)];
  return answer.body.tables.map((table) => tableFinding(name, table));
}

function tableFinding(name: string, { table, isThere, rows, bytes }: TableHealth): Finding {
  const check = 'participant.tables';
  if (!isThere) {
    return {
      check,
      level: 'problem',
      seen: `The database of ${name} has no table ${table}: its transactions cannot be recorded.`,
      remedy: "Run `settle migrate --participant URL` with the URL of that service's database.",
    };
  }
  const count = rows > rowsCountedMax ? `more than ${rowsCountedMax}` : String(rows);
  const seen = `${name}: ${table} has ${count} rows, ${megabytes(bytes)}.`;
  if (rows <= rowsCountedMax || table === 'settle_barrier') return inOrder(check, seen);
  return {
    check,
    level: 'note',
    seen,
    remedy:
      'Undo rows stand for as long as their transactions are open, and are locks: see what is stuck ' +
      'with `settle tx list --outcome open`.',
  };
}

function unasked(name: string, refused: { readonly code: string; readonly detail: string }) {
  const isOld = refused.code === 'METHOD_NOT_OFFERED';
  return {
    check: 'participant.tables',
    level: isOld ? 'note' : 'problem',
    seen: `${name} did not say how its tables are: ${refused.detail}`,
    remedy: isOld
      ? 'Upgrade @settle/client there; until then look with `settle migrate --participant URL`.'
      : 'See that the service reaches its database; phase two goes the same way.',
  } as const satisfies Finding;
}

function leftOut(resources: number): readonly Finding[] {
  if (resources <= resourcesMax) return [];
  const seen = `${resources} resources are connected; ${resourcesMax} of them were asked.`;
  return [{ check: 'participant.tables', level: 'note', seen, remedy: null }];
}

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
