/**
 * The picture of who waits for whom, from reports and answers that came at slightly different moments.
 * Pure. Guard: what nobody has said is null; a cycle is named only where every wait of it is shown.
 */
import type {
  DatabaseConnection,
  EpochMs,
  Gid,
  HeldConnection,
  LockedTransaction,
  LockGraphAnswer,
  LockWait,
  RowOfResource,
  UnaskedHolder,
} from '../../client-sdk/protocol/index.ts';
import type { OpenTransaction, ReportedScope } from '../engine/coordinator.ts';

/** A connection, and the service that says that it has it. */
export interface Held extends HeldConnection {
  readonly service: string;
}

/** Rows that a gid holds in one resource. */
export interface RowsOf {
  readonly gid: Gid;
  readonly rows: readonly RowOfResource[];
  readonly isCut: boolean;
}

/** A wait, before it is known whether it is part of a cycle. */
export type LinkedWait = Omit<LockWait, 'isInCycle'>;

/** More waits are left out. */
export const waitsShownMax = 500;
const rowsShownMax = 20;

/** Each wait with whom it is for and where, the oldest first. */
export function linkWaits(
  scopes: readonly ReportedScope[],
  held: readonly Held[],
): { readonly waits: readonly LinkedWait[]; readonly isCut: boolean } {
  const owners = ownersOf(scopes, held);
  const all = scopes.flatMap((scope) =>
    scope.waits.map((wait) => {
      const { sinceMs, target, givesWay } = wait;
      const common = { gid: scope.gid, sinceMs, givesWay };
      if ('gid' in target) {
        const database = whereOfDecision(scope, target.gid, held);
        return { ...common, kind: 'decision', database, waitsFor: target.gid, connection: null };
      }
      const owner = owners.get(keyOf(target.connection)) ?? null;
      const database = whereOfLock(scope, target.connection, held);
      const whom = { waitsFor: owner, connection: target.connection.id };
      return { ...common, kind: 'lock', database, ...whom };
    }),
  ) satisfies readonly LinkedWait[];
  const waits = all.toSorted((one, other) => one.sinceMs - other.sinceMs);
  return { waits: waits.slice(0, waitsShownMax), isCut: waits.length > waitsShownMax };
}

/** By connection. What its own process says counts more than what was reported before. */
function ownersOf(
  scopes: readonly ReportedScope[],
  held: readonly Held[],
): ReadonlyMap<string, Gid> {
  const reported = scopes.flatMap(({ gid, connections }) =>
    connections.map((one) => [keyOf(one), gid] as const),
  );
  return new Map([...reported, ...held.map((one) => [keyOf(one), one.gid] as const)]);
}

/** Who is in the way is in the same database; of somebody unknown, what the waiter calls it. */
function whereOfLock(
  { gid }: ReportedScope,
  connection: DatabaseConnection,
  held: readonly Held[],
): string {
  const blocker = held.find((one) => keyOf(one) === keyOf(connection));
  if (blocker !== undefined) return placeOf(blocker);
  // One server may have several databases: then it is one of these.
  const own = held.filter((one) => one.gid === gid && one.database === connection.database);
  return namesOf(own) ?? connection.database;
}

function whereOfDecision({ gid }: ReportedScope, holder: Gid, held: readonly Held[]) {
  return namesOf(held.filter((one) => one.gid === gid && one.awaits.includes(holder)));
}

function namesOf(held: readonly Held[]): string | null {
  const names = [...new Set(held.map(placeOf))];
  return names.length === 0 ? null : names.sort().join(' or ');
}

function placeOf({ service, resource }: Held): string {
  return `${service}/${resource}`;
}

function keyOf({ database, id }: DatabaseConnection): string {
  return `${database} ${id}`;
}

/** All that was found out. */
export interface LockGraphParts {
  readonly atMs: EpochMs;
  readonly scopes: readonly ReportedScope[];
  readonly held: readonly Held[];
  readonly waits: readonly LinkedWait[];
  readonly known: readonly OpenTransaction[];
  readonly rows: readonly RowsOf[];
  readonly unasked: readonly UnaskedHolder[];
  readonly isCut: boolean;
}

/** The answer. */
export function lockGraphView(parts: LockGraphParts): LockGraphAnswer {
  const { atMs, waits, unasked, isCut } = parts;
  const reached = reachedFrom(waits);
  const cycles = cyclesIn(reached);
  const gids = [...new Set(waits.flatMap(({ gid, waitsFor }) => [waitsFor ?? gid, gid]))];
  const transactions = gids.map((gid) => lockedOf(gid, parts));
  const isInCycle = ({ gid, waitsFor }: LinkedWait): boolean =>
    waitsFor !== null && waitsFor !== gid && reached.get(waitsFor)?.has(gid) === true;
  return {
    atMs,
    waits: waits.map((wait) => ({ ...wait, isInCycle: isInCycle(wait) })),
    transactions: transactions.toSorted(byStart),
    cycles,
    unasked,
    isCut,
  };
}

function byStart(one: LockedTransaction, other: LockedTransaction): number {
  const [first, second] = [one, other].map((each) => each.startedAtMs ?? Number.POSITIVE_INFINITY);
  if (first !== second) return (first ?? 0) < (second ?? 0) ? -1 : 1;
  return one.gid < other.gid ? -1 : 1;
}

function lockedOf(gid: Gid, { held, scopes, known, rows, waits }: LockGraphParts) {
  const found = known.find((one) => one.gid === gid);
  const own = rows.filter((one) => one.gid === gid);
  const shown = own.flatMap((one) => one.rows);
  const reported = scopes
    .filter((scope) => scope.gid === gid)
    .flatMap(({ connections }) => connections);
  const named = held
    .filter((one) => one.gid === gid)
    .map((one) => [keyOf(one), { database: placeOf(one), id: one.id }] as const);
  const plain = reported.map((one) => [keyOf(one), { ...one }] as const);
  return {
    gid,
    name: found?.name ?? null,
    phase: found?.phase ?? null,
    startedAtMs: found?.startedAtMs ?? null,
    isWaiting: waits.some((wait) => wait.gid === gid),
    connections: [...new Map([...plain, ...named]).values()],
    rows: shown.slice(0, rowsShownMax),
    isRowsCut: shown.length > rowsShownMax || own.some(({ isCut }) => isCut),
  } satisfies LockedTransaction;
}

type Reached = ReadonlyMap<Gid, ReadonlySet<Gid>>;

/** Whom each waits for, perhaps through others. That it waits for itself is no way to anybody. */
function reachedFrom(waits: readonly LinkedWait[]): Reached {
  const next = new Map<Gid, Gid[]>();
  for (const { gid, waitsFor } of waits) {
    if (waitsFor === null || waitsFor === gid) continue;
    next.set(gid, [...(next.get(gid) ?? []), waitsFor]);
  }
  const reached = new Map<Gid, ReadonlySet<Gid>>();
  for (const from of next.keys()) {
    const seen = new Set<Gid>();
    const ahead = [...(next.get(from) ?? [])];
    for (let gid = ahead.pop(); gid !== undefined; gid = ahead.pop()) {
      if (seen.has(gid)) continue;
      seen.add(gid);
      ahead.push(...(next.get(gid) ?? []));
    }
    reached.set(from, seen);
  }
  return reached;
}

/** Those who reach each other, in groups. */
function cyclesIn(reached: Reached): readonly (readonly Gid[])[] {
  const cycles: (readonly Gid[])[] = [];
  const grouped = new Set<Gid>();
  for (const [gid, whom] of reached) {
    if (grouped.has(gid) || !whom.has(gid)) continue;
    const group = [...whom].filter((other) => reached.get(other)?.has(gid) === true).sort();
    for (const member of group) grouped.add(member);
    cycles.push(group);
  }
  return cycles;
}
