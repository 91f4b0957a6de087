/**
 * Carries the timetable out on the stage. Each fault is undone by itself when its time is over;
 * faults may overlap, and `heal` at the end makes sure that nothing is left broken.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { becameReady } from '../../../server/demo/coordinator-api.ts';
import { type CoordinatorName, clients, coordinators } from './cast.ts';
import { type Appointment, describe, linkNames } from './nemesis-plan.ts';
import type { Stage } from './stage.ts';

/** The nemesis at work. */
export interface Nemesis {
  /** kill -9 so far, of processes and of the log's server. */
  readonly kills: number;
  /** Resolves when the timetable is done and each fault has been undone. */
  run(plan: readonly Appointment[]): Promise<void>;
  /** Everything runs and every link passes; all kinds of zombies are gone. */
  heal(): Promise<void>;
}

const takeOverMsMax = 15_000;
const freezeMsMax = 10_500;

/** `onFault`: told of each fault as it begins. */
export function createNemesis(stage: Stage, onFault: (what: string) => void): Nemesis {
  const { children, log } = stage;
  const linkTurns = new Map<string, number>();
  let kills = 0;
  let isLogAway = false;
  let isTakingOver = false;

  async function killAndRestart(target: string, forMs: number): Promise<void> {
    const name = target === 'coordinator' ? stage.active() : target;
    await kill(name);
    await pause(forMs);
    // Another one takes over, or has done so meanwhile: then this one stays away.
    const isOfTurn = name === stage.active() && !isTakingOver;
    if (target !== 'coordinator' || isOfTurn) children.restart(name);
  }

  async function kill(name: string): Promise<void> {
    if (!children.isRunning(name)) return;
    kills += 1;
    await children.kill(name);
  }

  async function killLog(forMs: number): Promise<void> {
    if (isLogAway) return;
    isLogAway = true;
    kills += 1;
    await log.control.kill();
    await pause(forMs);
    await log.control.restart();
    isLogAway = false;
  }

  async function takeOver(forMs: number, staying: readonly string[]): Promise<void> {
    if (isTakingOver) return;
    isTakingOver = true;
    const old = stage.active();
    const next: CoordinatorName = old === coordinators[0] ? coordinators[1] : coordinators[0];
    // Of an earlier turn; it is a zombie that has not noticed yet.
    await children.kill(next);
    children.freeze(old, forMs);
    children.letGo(old);
    children.restart(next);
    await becameReady(stage.urlOf(next), takeOverMsMax);
    stage.turnTo(next, staying);
    await pause(forMs);
    isTakingOver = false;
  }

  async function harmLink(name: string, { forMs, ...rest }: Appointment): Promise<void> {
    if (rest.kind !== 'link') return;
    const turn = (linkTurns.get(name) ?? 0) + 1;
    linkTurns.set(name, turn);
    for (const link of stage.linksNamed(name)) link.harm(rest.fault);
    await pause(forMs);
    // A later fault of the same link is undone in its own time.
    if (linkTurns.get(name) !== turn) return;
    for (const link of stage.linksNamed(name)) link.heal();
  }

  async function strike(appointment: Appointment): Promise<void> {
    const { forMs } = appointment;
    onFault(describe(appointment));
    switch (appointment.kind) {
      case 'kill':
        return killAndRestart(appointment.target, forMs);
      case 'freeze': {
        const { target } = appointment;
        children.freeze(target === 'coordinator' ? stage.active() : target, forMs);
        return pause(forMs);
      }
      case 'killLog':
        return killLog(forMs);
      case 'takeOver':
        return takeOver(forMs, appointment.staying);
      case 'link':
        return harmLink(appointment.link, appointment);
      default:
        return appointment satisfies never;
    }
  }

  return {
    get kills() {
      return kills;
    },
    async run(plan) {
      const startedAt = performance.now();
      const striking: Promise<void>[] = [];
      for (const appointment of plan) {
        await pause(Math.max(0, startedAt + appointment.atMs - performance.now()));
        const strikes = strike(appointment);
        // Heard below, where all are awaited; until then nobody else would.
        strikes.catch(() => undefined);
        striking.push(strikes);
      }
      await Promise.all(striking);
    },
    async heal() {
      for (const name of linkNames) for (const link of stage.linksNamed(name)) link.heal();
      for (const name of coordinators) if (name !== stage.active()) await children.kill(name);
      const all = [stage.active(), ...clients];
      for (const name of all) children.restart(name);
      await becameReady(stage.urlOf(stage.active()), freezeMsMax);
    },
  };
}
