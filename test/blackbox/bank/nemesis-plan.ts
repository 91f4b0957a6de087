/**
 * The timetable of faults, drawn from the seed: the same seed, length and breakage give the same
 * plan. Pure. Faults are dealt from a shuffled deck that has every kind in it, so that even a short
 * run sees most of them; they may overlap.
 */
import type { Random } from '../../../server/runtime/random.ts';
import { type Breakage, bankOf, clients, initiators, offices, shards, vaults } from './cast.ts';
import type { LinkFault } from './link.ts';

/** What is done. `target`: a process; `coordinator` is the one whose turn it is. */
export type Fault =
  | { readonly kind: 'kill'; readonly target: string }
  | { readonly kind: 'freeze'; readonly target: string }
  | { readonly kind: 'killLog' }
  /** The coordinator is frozen, the other one takes over; these clients stay with the zombie. */
  | { readonly kind: 'takeOver'; readonly staying: readonly string[] }
  | { readonly kind: 'link'; readonly link: string; readonly fault: LinkFault };

/** One line of the timetable: when, and how long until it is undone. */
export type Appointment = Fault & { readonly atMs: number; readonly forMs: number };

/** Links by name: `log`, `db-a` …, and each client's for its way to the coordinator. */
export const linkNames: readonly string[] = [
  'log',
  ...shards.map((shard) => `db-${shard}`),
  ...clients,
];

const gapMs = { min: 1_500, max: 4_000 } as const;
const firstAtMs = 1_500;
/** How long a fault stands: a killed process stays dead, a link stays cut, … */
const forMs = {
  kill: [0, 1_500],
  freeze: [1_000, 10_000],
  killLog: [200, 3_000],
  takeOver: [2_000, 6_000],
  link: [500, 6_000],
} as const satisfies Record<Fault['kind'], readonly [number, number]>;

/** The plan of a run of so many milliseconds. Nothing new starts in its last second. */
export function planNemesis(
  totalMs: number,
  random: Random,
  breakage: Breakage | null,
): readonly Appointment[] {
  const plan: Appointment[] = [];
  let deck: Fault[] = [];
  let atMs = firstAtMs;
  while (atMs < totalMs - 1_000) {
    if (deck.length === 0) deck = shuffled(deckOf(random, breakage), random);
    const fault = deck.pop();
    if (fault === undefined) break;
    const [min, max] = forMs[fault.kind];
    const left = totalMs - atMs;
    plan.push({ ...fault, atMs, forMs: Math.min(left, Math.round(between(random, min, max))) });
    atMs += Math.round(between(random, gapMs.min, gapMs.max));
  }
  return plan;
}

function deckOf(random: Random, breakage: Breakage | null): readonly Fault[] {
  const kill = (target: string): Fault => ({ kind: 'kill', target });
  const freeze = (target: string): Fault => ({ kind: 'freeze', target });
  const link = (name: string): Fault => ({ kind: 'link', link: name, fault: drawFault(random) });
  const bank = (): string => bankOf(pick(shards, random));
  const office = (): string => pick(offices, random);
  const takeOver = (): Fault => ({ kind: 'takeOver', staying: drawStaying(random) });
  const coordinator = kill('coordinator');
  switch (breakage) {
    case 'fence':
      return [takeOver(), takeOver(), kill(pick(initiators, random))];
    case 'durability':
      return [coordinator, coordinator, kill(bank())];
    case 'undo':
      // Desks live, so that even a short run on a slow machine has rollbacks to get wrong.
      return [kill(pick(vaults, random)), link(pick(vaults, random))];
    case 'barrier':
    case null:
      return [
        ...[coordinator, coordinator, takeOver(), { kind: 'killLog' } as const],
        ...[kill(bank()), kill(bank()), kill(pick(initiators, random))],
        ...[freeze('coordinator'), freeze(bank()), freeze(pick(initiators, random))],
        ...[kill(office()), kill(office()), freeze(office()), link(office())],
        ...[link('log'), link(bank()), link(bank())],
        ...[link(`db-${pick(shards, random)}`), link(`db-${pick(shards, random)}`)],
        link(pick(initiators, random)),
      ];
    default:
      return breakage satisfies never;
  }
}

function drawFault(random: Random): LinkFault {
  const kinds = ['cut', 'cutToServer', 'cutToClient', 'loseReplies', 'delay'] as const;
  const kind = pick(kinds, random);
  return kind === 'delay' ? { kind, ms: Math.round(between(random, 50, 1_000)) } : { kind };
}

/** At least one initiator stays: a zombie without work would not notice that its term is over. */
function drawStaying(random: Random): readonly string[] {
  const others = clients.filter(() => random.next() < 0.5);
  return [...new Set([pick(initiators, random), ...others])];
}

function between(random: Random, min: number, max: number): number {
  return min + (max - min) * random.next();
}

function pick<T>(from: readonly [T, ...T[]], random: Random): T {
  return from[Math.floor(random.next() * from.length)] ?? from[0];
}

function shuffled(faults: readonly Fault[], random: Random): Fault[] {
  return faults
    .map((fault) => ({ fault, order: random.next() }))
    .sort((one, other) => one.order - other.order)
    .map(({ fault }) => fault);
}

/** For the terminal and the history: `kill -9 bank-a for 300 ms`. */
export function describe(appointment: Appointment): string {
  const time = `for ${appointment.forMs} ms`;
  switch (appointment.kind) {
    case 'kill':
      return `kill -9 ${appointment.target}, away ${time}`;
    case 'freeze':
      return `SIGSTOP ${appointment.target} ${time}`;
    case 'killLog':
      return `kill -9 the log's PostgreSQL, away ${time}`;
    case 'takeOver':
      return `SIGSTOP coordinator ${time}, another takes over; ${appointment.staying.join(' ')} stay`;
    case 'link': {
      const { link, fault } = appointment;
      return `link ${link}: ${fault.kind}${fault.kind === 'delay' ? ` ${fault.ms} ms` : ''} ${time}`;
    }
    default:
      return appointment satisfies never;
  }
}
