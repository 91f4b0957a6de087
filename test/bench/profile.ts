/**
 * Reads CPU profiles as V8 writes them (`--cpu-prof`) and tells in which functions the time went.
 * Self time only: what a function did itself, without those it called. Time without work is left
 * out of the shares.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Span } from './run.ts';

/** What is used of a profile; see the DevTools protocol, `Profiler.Profile`. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds on the machine's monotonic clock. */
  readonly startTime: number;
  /** Node by node, what was running. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** From 0. */
    readonly lineNumber: number;
  };
}

/** What to look at. */
export interface ProfileScope {
  /** Samples outside of these spans, start and warm-up, are left out. */
  readonly spans: readonly Span[];
  /** Carried out in those spans; the times are shown per transaction. */
  readonly transactions: number;
  readonly functionsShown: number;
}

const root = join(import.meta.dirname, '..', '..');

/**
 * Microseconds by function, the largest first: `name file:line`; V8's own entries, such as
 * `(garbage collector)`, have no place.
 */
export function selfTimes(
  profile: CpuProfile,
  spans: readonly Span[],
): readonly (readonly [what: string, us: number])[] {
  const names = new Map(profile.nodes.map((node) => [node.id, nameOf(node)]));
  const usOf = new Map<string, number>();
  let atUs = profile.startTime;
  profile.samples.forEach((id, index) => {
    atUs += profile.timeDeltas[index] ?? 0;
    const name = names.get(id) ?? '';
    if (name === '(idle)' || !spans.some(([from, to]) => from <= atUs && atUs < to)) return;
    // The time until the next sample belongs to this one.
    const us = Math.max(0, profile.timeDeltas[index + 1] ?? 0);
    usOf.set(name, (usOf.get(name) ?? 0) + us);
  });
  return [...usOf].sort((a, b) => b[1] - a[1]);
}

function nameOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const file = url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url;
  return `${name} ${file}:${lineNumber + 1}`;
}

/** The top of every profile in a folder that has one folder per process, as text. */
export function profileText(folder: string, scope: ProfileScope): string {
  return filesIn(folder)
    .flatMap((process) => filesIn(process))
    .map((file) => topOf(file, scope))
    .join('\n');
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

function topOf(file: string, { spans, transactions, functionsShown }: ProfileScope): string {
  // Parse boundary: V8 wrote it.
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const times = selfTimes(profile, spans);
  const busyUs = times.reduce((sum, [, us]) => sum + us, 0);
  const perTx = (us: number) => `${(us / Math.max(1, transactions)).toFixed(2).padStart(8)} µs/tx`;
  const lines = times
    .slice(0, functionsShown)
    .map(([what, us]) => `${((us / busyUs) * 100).toFixed(2).padStart(6)} % ${perTx(us)}  ${what}`);
  return [`${file}:${perTx(busyUs)} with work`, ...lines, ''].join('\n');
}
