/**
 * Reads CPU profiles as V8 writes them (`--cpu-prof`) and tells in which functions the time went.
 * Self time only: what a function did itself, without those it called. Time without work is left
 * out of the shares.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is used of a profile; see the DevTools protocol, `Profiler.Profile`. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
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

/** One function. */
export interface SelfTime {
  /** `name file:line`; V8's own entries, such as `(garbage collector)`, have no place. */
  readonly what: string;
  /** Of the time with work: 0..1. */
  readonly share: number;
}

const root = join(import.meta.dirname, '..', '..');

/** Functions by self time, the largest first, and for how long anything was done at all. */
export function selfTimes(profile: CpuProfile): {
  readonly busyMs: number;
  readonly functions: readonly SelfTime[];
} {
  const names = new Map(profile.nodes.map((node) => [node.id, nameOf(node)]));
  const us = new Map<string, number>();
  let busyUs = 0;
  profile.samples.forEach((id, index) => {
    const name = names.get(id) ?? '';
    if (name === '(idle)') return;
    // The time until the next sample belongs to this one.
    const deltaUs = Math.max(0, profile.timeDeltas[index + 1] ?? 0);
    us.set(name, (us.get(name) ?? 0) + deltaUs);
    busyUs += deltaUs;
  });
  const functions = [...us]
    .sort((a, b) => b[1] - a[1])
    .map(([what, spentUs]) => ({ what, share: spentUs / Math.max(1, busyUs) }));
  return { busyMs: busyUs / 1_000, functions };
}

function nameOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const file = url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url;
  return `${name} ${file}:${lineNumber + 1}`;
}

/** The top of every profile in a folder of folders, as text; one folder per process. */
export function profileText(folder: string, functionsShown: number): string {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const own = join(folder, name);
      return readdirSync(own)
        .sort()
        .map((file) => {
          const path = join(own, file);
          // Parse boundary: V8 wrote it.
          const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
          const { busyMs, functions } = selfTimes(profile);
          const lines = functions
            .slice(0, functionsShown)
            .map(({ what, share }) => `${(share * 100).toFixed(2).padStart(6)} %  ${what}`);
          return [`${name}: ${path}, ${busyMs.toFixed(0)} ms with work`, ...lines, ''].join('\n');
        });
    })
    .join('\n');
}
