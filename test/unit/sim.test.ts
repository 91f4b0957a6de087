/**
 * A short share of the simulator (`npm run sim` is the long one): a counted number of seeds, the same
 * digest twice, and planted bugs that end as small stories.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BankRules } from '../sim/bank.ts';
import { allTriples } from '../sim/crash.ts';
import { judge } from '../sim/model.ts';
import { runSeed } from '../sim/run.ts';
import { shrink } from '../sim/shrink.ts';
import { formatSpec, parseSpecs, toWish } from '../sim/spec.ts';
import { tellStory } from '../sim/story.ts';

const sim = join(import.meta.dirname, '..', 'sim');
const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(sim, 'main.ts'), ...args], { encoding: 'utf8' });

describe('the simulator', () => {
  test('300 seeds violate nothing; most crash triples are hit; half of what is begun ends', async () => {
    const hit = new Set<string>();
    let transactions = 0;
    let ended = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const report = await runSeed({ seed });
      expect(report.violations, `seed ${seed}`).toEqual([]);
      for (const triple of report.crashes.keys()) hit.add(triple);
      transactions += report.swarm.transactions;
      ended += report.seen.committed + report.seen.rolledBack;
    }
    expect(transactions).toBeGreaterThan(6_000);
    expect(ended).toBeGreaterThan(transactions / 2);
    expect(hit.size).toBeGreaterThan(allTriples.length * 0.9);
  });

  test('seeds that found something once find nothing now', async () => {
    for (const spec of parseSpecs(readFileSync(join(sim, 'seeds.txt'), 'utf8'))) {
      const { violations } = await runSeed(toWish(spec));
      expect(violations, formatSpec(spec)).toEqual([]);
    }
  });

  test('the same seed gives the same digest; another seed another one', async () => {
    const digests: string[] = [];
    for (const seed of [1, 2, 3, 1, 2, 3]) digests.push((await runSeed({ seed })).digest);
    expect(digests.slice(3)).toEqual(digests.slice(0, 3));
    expect(new Set(digests).size).toBe(3);
  });

  test('naming all faults that struck changes nothing; naming none leaves a calm world', async () => {
    const whole = await runSeed({ seed: 4 });
    expect(whole.faults.length).toBeGreaterThan(10);
    const same = await runSeed({ seed: 4, only: new Set(whole.faults) });
    expect(same.digest).toBe(whole.digest);
    const calm = await runSeed({ seed: 4, only: new Set() });
    expect(calm.faults).toEqual([]);
    expect(calm.violations).toEqual([]);
  });
});

/** The first seed that a planted weakness fails on, made small. */
async function shrunkBy(rules: Partial<BankRules>) {
  for (let seed = 1; seed < 100; seed += 1) {
    const report = await runSeed({ seed, rules });
    if (report.violations.length === 0) continue;
    const shrunk = await shrink({ seed }, { rules, isTimeOver: () => false });
    return { ...shrunk, story: await tellStory(shrunk.spec, rules) };
  }
  throw new Error('no seed fails');
}

describe('a planted bug ends as a small story', () => {
  test.each([
    ['no deduplication', { dedupes: false }, ['S9', 'S10']],
    ['no guard for empty rollbacks', { guardsEmpty: false }, ['S10', 'half', 'L2']],
    ['no guard for hanging tries', { guardsHanging: false }, ['half', 'L2', 'S10']],
    ['no locks on rows of at branches', { locks: false }, ['L1', 'S10']],
  ] as const)('%s', async (_name, rules, expected) => {
    const { spec, report, story } = await shrunkBy(rules);
    expect(expected).toContain(spec.rule);
    expect(report.faults.length).toBeLessThanOrEqual(3);
    const transfers = spec.transfers?.length ?? report.swarm.transactions;
    expect(transfers).toBeLessThanOrEqual(20);
    const lines = story.split('\n');
    expect(lines.length).toBeLessThanOrEqual(60);
    expect(lines[0]).toContain('is violated by');
    for (const fault of report.faults) expect(story).toContain(`! ${fault}`);
    // What is kept of it fails in the same way.
    const [kept] = parseSpecs(`${formatSpec(spec)} # found as seed 1`);
    expect(kept).toEqual(spec);
    const again = await runSeed({ ...toWish(spec), rules });
    expect(again.digest).toBe(report.digest);
  });
});

test('the model allows "come again" always, and a definite answer only when it is so', () => {
  const decide = { verb: 'decide', request: { gid: 'g', direction: 'commit' } } as const;
  const nothing = { asked: null, now: null, isHolder: true, hasExecuted: () => false };
  const refused = (code: 'FENCED' | 'ALREADY_COMMITTED' | 'INTERNAL' | 'NOT_FOUND') =>
    judge(decide, { ok: false, code, detail: '' }, nothing);
  expect(refused('FENCED')).toBeNull();
  expect(refused('NOT_FOUND')).toBeNull();
  expect(refused('INTERNAL')).toMatch(/INTERNAL/);
  expect(refused('ALREADY_COMMITTED')).toMatch(/durable is nothing/);
});

describe('the command', () => {
  test('says what the issue asks for in its last line', () => {
    const { status, stdout } = run('--seeds', '3', '--seed', '7', '--transactions', '4', '--json');
    expect(status).toBe(0);
    const line: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    const number = expect.any(Number);
    expect(line).toEqual({
      seeds: number,
      transactions: number,
      faults: number,
      crashTriples: { covered: number, total: allTriples.length },
      violations: 0,
      digestMismatches: 0,
      txPerSecond: number,
    });
  });

  test.each([
    [['--seeds', 'many'], "--seeds takes a whole number from 1 on, not 'many'"],
    [['--seed', '-1'], '--seed'],
    [['--transactions', '0'], "--transactions takes a whole number from 1 on, not '0'"],
    [['--colour'], '--colour'],
  ])('refuses %j with exit code 2', (args, text) => {
    const { status, stderr } = run(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(text);
  });
});
