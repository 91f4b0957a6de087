/**
 * Every verb of the command line against real processes of which some are broken: a participant that
 * cannot confirm, one that has lost its barrier, a row that somebody has changed, an initiator that
 * died. The list of verbs is the program's own: one without its line in `verbs/` fails the test.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildProgram } from '../../server/cli/program.ts';
import { expectShape } from '../support/answer-shape.ts';
import { describeOn } from '../support/databases.ts';
import type { Ended } from '../support/settle-command.ts';
import { verbsOf } from '../support/verbs.ts';
import { type Change, changes } from './verbs/changes.ts';
import { locals } from './verbs/locals.ts';
import { type Look, looks } from './verbs/looks.ts';
import { startWorld, type World } from './verbs/world.ts';

const why = ['--reason', 'there must be one entry'];
// Not 1 or 9: fetch refuses such ports by itself, before anything is refused by the machine.
const nobody = ['--url', 'http://127.0.0.1:2'];
/** A dozen processes, each of which takes seconds to start on a machine that others use as well. */
const patienceMs = 300_000;
const wordsOf = (verb: string): readonly string[] => verb.split(' ');

const objectsIn = (stdout: string): readonly Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('each verb has its line, and each line its verb', () => {
  const lines = [looks, changes, locals].flatMap((cases) => Object.keys(cases));
  expect(lines.toSorted()).toEqual(verbsOf(buildProgram()).toSorted());
});

await describeOn('postgres', (server) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(server);
  });
  afterAll(() => world.stop());

  describe('what broke is found', () => {
    test.each([
      [['--attention'], ['dirty', 'poison']],
      [['--error', 'is frozen'], ['poison']],
      [['--resource', 'goods'], ['dirty']],
      [['--service', 'wallets', '--phase', 'committing'], ['poison']],
      [['--phase', 'active', '--label', 'program=checkout-process'], ['abandoned']],
      [
        ['--outcome', 'open'],
        ['abandoned', 'dirty', 'poison'],
      ],
    ] as const)('by tx list %j', async (filters, kinds) => {
      const listed = await world.settle('tx', 'list', '--json', ...filters);
      const found = objectsIn(listed.stdout).map(({ gid }) => gid);
      expect(found).toEqual(kinds.map((kind) => world.gids[kind]));
    });
  });

  // Looked at while everything is broken; the audit needs somebody who has done something.
  describe('looking', () => {
    beforeAll(async () => {
      for (const verb of ['drain', 'undrain']) {
        await world.settle('participant', verb, 'seldom', ...why);
      }
    });
    test.each(Object.entries(looks))('%s', (verb, look) => lookBy(world, verb, look), patienceMs);
  });

  describe('a barrier that is gone', () => {
    test(
      'is told in words, and asked again by branch retry once it is there',
      async () => {
        world.mendWallets();
        await world.undecided('barrier-1');
        world.breakWallets('barrier');
        await world.client.post('/v1/transactions/barrier-1/commit', { wait: 'decided' });
        const listed = ['tx', 'list', '--json', '--error', 'no such table: settle_barrier'];
        await expect
          .poll(async () => (await world.settle(...listed)).stdout, { timeout: patienceMs })
          .toContain('"barrier-1"');
        const { stdout } = await world.settle('tx', 'explain', 'barrier-1');
        expect(stdout).toContain('run `settle migrate --participant URL` on this database');
        world.mendWallets();
        const retried = await world.settle('branch', 'retry', 'barrier-1', '2', ...why);
        expect(retried.code).toBe(0);
        expect(await world.endOf('barrier-1')).toBe('committed');
        world.breakWallets('frozen');
      },
      patienceMs,
    );
  });

  describe('changing', () => {
    test.each(Object.entries(changes))(
      '%s',
      (verb, change) => changeBy(world, verb, change),
      patienceMs,
    );
  });

  describe('without a coordinator', () => {
    test.each(Object.entries(locals))('%s', (_, story) => story(world), patienceMs);
  });
});

async function lookBy(world: World, verb: string, look: Look): Promise<void> {
  const { settle } = world;
  const words = [...wordsOf(verb), ...look.args(world)];
  const audit = await world.audit();
  const [json, plain, away] = await Promise.all([
    settle(...words, '--json'),
    settle('--no-color', ...words),
    settle(...words, ...nobody),
  ]);

  const codeOf = ({ stderr }: Ended) => look.code?.(stderr) ?? 0;
  const objects = objectsIn(json.stdout);
  expect(json.code, json.stderr).toBe(codeOf(json));
  expect(json.stdout).not.toContain('\u001b');
  if (typeof look.json === 'function') {
    expect(objects).toHaveLength(1);
    look.json(objects[0] ?? {}, world);
  } else for (const object of objects) expectShape(look.json.each, object);

  expect(plain.code, plain.stderr).toBe(codeOf(plain));
  expect(plain.stdout + plain.stderr).not.toContain('\u001b');
  const lines = plain.stdout.split('\n');
  expect(lines).toContainEqual(expect.stringMatching(look.data));
  expect(plain.stderr).toMatch(look.talk ?? /^$/);
  const talk = plain.stderr.split('\n').filter((line) => line !== '');
  expect(lines.filter((line) => talk.includes(line))).toEqual([]);

  expect(away).toMatchObject({ code: 6, stdout: '' });
  await expectRefused(world, verb, look.refused ?? []);
  expect(await world.audit()).toEqual(audit);
}

async function expectRefused(
  { settle }: World,
  verb: string,
  cases: readonly (readonly [readonly string[], number])[],
): Promise<void> {
  const codes = cases.map(async ([args]) => {
    const { code, stdout } = await settle(...wordsOf(verb), ...args);
    return [args, code, stdout];
  });
  expect(await Promise.all(codes)).toEqual(cases.map(([args, code]) => [args, code, '']));
}

async function changeBy(world: World, verb: string, change: Change): Promise<void> {
  const { settle } = world;
  const subject = await change.make(world);
  const words = [...wordsOf(verb), ...subject.args];
  const stateBefore = await subject.state();
  const auditBefore = await world.audit();

  const ends = [await settle(...words), await settle(...words, ...why, ...nobody)];
  expect(ends).toMatchObject([
    { code: 2, stdout: '', stderr: expect.stringMatching(/required option '--reason/) },
    { code: 6, stdout: '' },
  ]);
  expect(await world.audit()).toEqual(auditBefore);
  for (const [args, code] of await change.refused(world)) {
    const refused = await settle(...wordsOf(verb), ...args, ...why);
    expect(refused.code, `${args.join(' ')}: ${refused.stderr}`).toBe(code);
  }

  // What was refused to somebody with a reason is on the record, too.
  const auditAfterRefusals = await world.audit();
  const [dry, dryJson] = await Promise.all([
    settle('--no-color', ...words, ...why, '--dry-run'),
    settle(...words, ...why, '--dry-run', '--json'),
  ]);
  expect(dry).toMatchObject({ code: 0, stderr: 'A dry run: nothing was done.' });
  expect(dry.stdout).not.toBe('');
  expect(dry.stdout).not.toContain('\u001b');
  const [dryAnswer] = objectsIn(dryJson.stdout);
  expectShape(change.answer, dryAnswer);
  expect(dryAnswer).toMatchObject({ dryRun: true });
  expect(await subject.state()).toEqual(stateBefore);
  expect(await world.audit()).toEqual(auditAfterRefusals);

  const done = await settle(...words, ...why, '--json');
  expect(done.code, done.stderr).toBe(0);
  const [answer] = objectsIn(done.stdout);
  expectShape(change.answer, answer);
  expect(answer).toMatchObject({ dryRun: false });
  const [said, asked, ...rest] = await world.audit();
  expect(rest).toEqual(auditAfterRefusals.slice(0, 254));
  const entry = { who: 'eve', action: change.action, reason: why[1] };
  expect(asked).toMatchObject({ ...entry, stage: 'asked', of: null });
  expect(said).toMatchObject({ ...entry, stage: 'done', of: asked?.seq });
  const verified = await settle('audit', 'verify', '--json');
  expect(verified.code).toBe(0);
  expect(JSON.parse(verified.stdout)).toMatchObject({ entries: said?.seq, brokenAt: null });
  await subject.changed();
}
