/**
 * Who waits for whom at this moment: what services have reported of their waits, joined with what each
 * process says of its own connections and with the rows that are held in the databases. What it looks
 * like is made in `lock-graph-view.ts`. Guards: nobody is asked while nobody waits, each question waits
 * for a bounded time, and who did not answer is named.
 */
import {
  askedConnectionsMax,
  type CallAnswer,
  type DatabaseConnection,
  type Gid,
  type HeldConnection,
  isGid,
  isName,
  type Json,
  type LockGraphAnswer,
  type LocksAnswer,
  type UnaskedHolder,
} from '../../client-sdk/protocol/index.ts';
import type { Answer, Coordinator, OpenTransaction, ReportedScope } from '../engine/coordinator.ts';
import type { Clock } from '../runtime/clock.ts';
import { askInstances, timed } from './instances.ts';
import { type Held, linkWaits, lockGraphView, type RowsOf } from './lock-graph-view.ts';
import type { Channel } from './participants.ts';
import { instanceCall } from './ping.ts';

/** What it needs. */
export interface LockGraphPorts {
  readonly clock: Clock;
  readonly coordinator: Pick<Coordinator, 'reportedWaits' | 'openOnes' | 'locks'>;
  readonly channel: Pick<Channel, 'participants' | 'askEach'>;
}

const answerMsMax = 1_500;
/** Whose rows are asked for, those first that are waited for longest. */
const rowQuestionsMax = 64;
const rowsMax = 20;

/** Asks and joins. Never rejects. */
export async function lockGraph(ports: LockGraphPorts): Promise<LockGraphAnswer> {
  const { clock, coordinator } = ports;
  const atMs = clock.nowMs();
  const scopes = coordinator.reportedWaits();
  if (scopes.every(({ waits }) => waits.length === 0)) {
    return { atMs, waits: [], transactions: [], cycles: [], unasked: [], isCut: false };
  }
  const connections = connectionsOf(scopes);
  const asked = connections.slice(0, askedConnectionsMax);
  const holders = await askHolders(ports, asked);
  const { waits, isCut } = linkWaits(scopes, holders.held);
  const gids = new Set(waits.flatMap(({ gid, waitsFor }) => [waitsFor ?? gid, gid]));
  const known = coordinator.openOnes(gids);
  const waitedFor = new Set(waits.flatMap(({ waitsFor }) => waitsFor ?? []));
  const rows = await askRows(
    ports,
    known.filter(({ gid }) => waitedFor.has(gid)),
  );
  return lockGraphView({
    ...{ atMs, scopes, waits, known, held: holders.held, rows: rows.found },
    unasked: [...holders.unasked, ...rows.unasked],
    isCut: isCut || rows.isCut || asked.length < connections.length,
  });
}

/** Those that are in somebody's way, and those of who waits; of the longest waits first. */
function connectionsOf(scopes: readonly ReportedScope[]): readonly DatabaseConnection[] {
  const waiting = scopes
    .filter(({ waits }) => waits.length > 0)
    .toSorted((one, other) => oldestOf(one) - oldestOf(other));
  const all = waiting.flatMap(({ waits, connections }) => [
    ...waits.flatMap(({ target }) => ('connection' in target ? target.connection : [])),
    ...connections,
  ]);
  return [...new Map(all.map((one) => [`${one.database} ${one.id}`, one])).values()];
}

function oldestOf({ waits }: ReportedScope): number {
  return Math.min(...waits.map(({ sinceMs }) => sinceMs));
}

async function askHolders(
  ports: LockGraphPorts,
  connections: readonly DatabaseConnection[],
): Promise<{ readonly held: readonly Held[]; readonly unasked: readonly UnaskedHolder[] }> {
  const services = new Set(
    ports.channel
      .participants()
      .filter(({ methods }) => methods.some((method) => method.startsWith('at.')))
      .map(({ service }) => service),
  );
  const list = connections.map(({ database, id }) => ({ database, id }));
  const call = instanceCall('holders', { connections: list });
  const asked = [...services].flatMap((service) => askInstances(ports, service, call, answerMsMax));
  const held: Held[] = [];
  const unasked: UnaskedHolder[] = [];
  for (const { service, instance, answer } of await Promise.all(asked)) {
    const own = answer === null ? null : heldIn(answer);
    if (own !== null) held.push(...own.map((one) => ({ ...one, service })));
    else unasked.push({ who: `${service}/${instance}`, detail: whyNot(answer) });
  }
  return { held, unasked };
}

function whyNot(answer: CallAnswer | null): string {
  if (answer === null) return `no answer in ${answerMsMax} ms`;
  if (answer.outcome === 'done' || answer.outcome === 'ongoing')
    return 'it answered something else';
  const isOld = answer.error.startsWith('METHOD_NOT_OFFERED');
  return isOld ? 'its SDK is older than this question' : answer.error;
}

/** The parse boundary: null when it is no answer; entries that make no sense are left out. */
function heldIn(answer: CallAnswer): readonly HeldConnection[] | null {
  if (answer.outcome !== 'done') return null;
  const { result } = answer;
  if (result === null || typeof result !== 'object' || !('held' in result)) return null;
  const { held } = result;
  return Array.isArray(held) ? held.filter(isHeld) : null;
}

function isHeld(value: Json): value is Json & HeldConnection {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { database, id, resource, gid, awaits } = value as Readonly<Record<string, Json>>;
  const isPlace = typeof database === 'string' && isGid(database) && typeof id === 'number';
  const isNamed = typeof resource === 'string' && isName(resource);
  const isOwned = typeof gid === 'string' && isGid(gid);
  return isPlace && isNamed && isOwned && Array.isArray(awaits);
}

interface Rows {
  readonly found: readonly RowsOf[];
  readonly unasked: readonly UnaskedHolder[];
  readonly isCut: boolean;
}

async function askRows(
  { clock, coordinator }: LockGraphPorts,
  holders: readonly OpenTransaction[],
): Promise<Rows> {
  const questions = holders.flatMap(({ gid, resources }) =>
    resources.map(({ service, resource }) => ({ gid, service, resource })),
  );
  const asked = questions.slice(0, rowQuestionsMax).map(async (question) => {
    const request = { ...question, limit: rowsMax };
    const { answer } = await timed<Answer<LocksAnswer>>(clock, answerMsMax, (answered) =>
      coordinator.locks(request, answered),
    );
    return { ...question, answer };
  });
  const found: RowsOf[] = [];
  const unasked = new Map<string, UnaskedHolder>();
  for (const { gid, service, resource, answer } of await Promise.all(asked)) {
    const who = `${service}/${resource}`;
    if (answer?.ok === true) found.push(rowsIn(gid, who, answer.body));
    else unasked.set(who, { who, detail: answer?.detail ?? `no answer in ${answerMsMax} ms` });
  }
  return { found, unasked: [...unasked.values()], isCut: questions.length > rowQuestionsMax };
}

function rowsIn(gid: Gid, database: string, { locks, nextCursor }: LocksAnswer): RowsOf {
  const rows = locks.slice(0, rowsMax).map((lock) => ({ ...lock, database }));
  return { gid, rows, isCut: nextCursor !== null || locks.length > rowsMax };
}
