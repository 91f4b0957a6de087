/**
 * Processor time and memory of other processes, as Linux tells it in /proc (proc_pid_stat(5)). On
 * systems without it every figure is null: not measured is not zero. Precision: one clock tick
 * (10 ms) per process.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface ProcessTimes {
  readonly parent: number;
  /** User and system time, own and of children that have ended, in ticks. */
  readonly own: number;
  readonly ofEnded: number;
}

/** Ticks per second of the times in /proc; 100 where nobody says. */
export function ticksPerSecond(): number {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || 100;
  } catch {
    return 100;
  }
}

/** Processor time in ticks of these processes so far; null when one of them cannot be read. */
export function ticksOf(pids: readonly number[]): number | null {
  let sum = 0;
  for (const pid of pids) {
    const times = timesOf(pid);
    if (times === null) return null;
    sum += times.own;
  }
  return sum;
}

/** The same of a process and all its descendants, ended ones included. */
export function ticksOfTree(root: number): number | null {
  const top = timesOf(root);
  if (top === null) return null;
  let sum = top.ofEnded;
  const all = allTimes();
  const waiting = [root];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    sum += all.get(pid)?.own ?? 0;
    for (const [other, { parent }] of all) if (parent === pid) waiting.push(other);
  }
  return sum;
}

/** Resident memory in bytes; null when it cannot be read. */
export function residentBytes(pid: number): number | null {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`) ?? '')?.[1];
  return kib === undefined ? null : Number(kib) * 1_024;
}

function allTimes(): ReadonlyMap<number, ProcessTimes> {
  const found = new Map<number, ProcessTimes>();
  for (const name of readdirSync('/proc')) {
    const times = /^\d+$/.test(name) ? timesOf(Number(name)) : null;
    if (times !== null) found.set(Number(name), times);
  }
  return found;
}

function timesOf(pid: number): ProcessTimes | null {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is the name, in brackets, and may hold anything; the third one follows it.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parent = 0, ...rest] = fields;
  const [userTicks = 0, systemTicks = 0, endedUser = 0, endedSystem = 0] = rest.slice(9);
  return { parent, own: userTicks + systemTicks, ofEnded: endedUser + endedSystem };
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
