/** The doctor as a whole: what hangs or fails is a finding among others, and no look runs twice at once. */
import { expect, it } from 'vitest';
import type { CallAnswer, Finding, TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { createDoctor, type DoctorPorts } from '../../server/desk/doctor.ts';
import { certificateFinding } from '../../server/desk/doctor-door.ts';
import { Failure } from '../../server/runtime/failure.ts';
import { createStage, done } from '../engine/stage.ts';

const fine: Finding = { check: 'log.reach', level: 'ok', seen: 'It answers.', remedy: null };
const debit = { participant: { service: 'bank', method: 'debit' }, payload: null };
const whole = { entries: 0, head: '0'.repeat(64), brokenAt: null };

async function start(changed: Partial<DoctorPorts> = {}) {
  const stage = await createStage();
  const doctor = createDoctor({
    clock: stage.time.clock,
    coordinator: stage.engine,
    log: async () => [fine],
    audit: { verify: async () => whole },
    connected: () => [],
    door: { host: '127.0.0.1', needsTokens: false, allowCallbacks: [] },
    certificateEnd: async () => 0,
    ...changed,
  });
  return { stage, doctor };
}

function found(findings: readonly Finding[], check: string): Finding | undefined {
  return findings.find((one) => one.check === check);
}

it('tells of a log that never answers, and of all the rest', async () => {
  const { stage, doctor } = await start({ log: () => new Promise(() => {}) });
  const examined = doctor.examine();
  await stage.time.advance(20_000);
  const { findings } = await examined;
  expect(found(findings, 'log.reach')).toMatchObject({
    level: 'problem',
    seen: 'There was no answer within 20 s.',
  });
  expect(found(findings, 'audit.chain')).toMatchObject({ level: 'ok' });
});

it('does not look again while a look runs, however many ask', async () => {
  let looks = 0;
  const answer = Promise.withResolvers<readonly Finding[]>();
  const log = () => {
    looks += 1;
    return answer.promise;
  };
  const { doctor } = await start({ log });
  const both = Promise.all([doctor.examine(), doctor.examine()]);
  answer.resolve([fine]);
  await both;
  expect(looks).toBe(1);
  await doctor.examine();
  expect(looks).toBe(2);
});

it('tells of transactions that need a human, and of the oldest that is open', async () => {
  const { stage, doctor } = await start();
  const looked = async () => {
    const examined = doctor.examine();
    await stage.time.settle();
    const { findings } = await examined;
    return ['transactions.attention', 'transactions.old'].map(
      (check) => found(findings, check)?.level,
    );
  };
  expect(await looked()).toEqual(['ok', 'ok']);
  stage.script((): CallAnswer => ({ outcome: 'refused', error: 'frozen' }));
  stage.ask<TransactionAnswer>((e, a) => e.begin({ gid: 'g1', branches: [debit] }, a));
  await stage.time.settle();
  expect(await looked()).toEqual(['ok', 'ok']);
  stage.ask((e, a) => e.decide({ gid: 'g1', direction: 'commit', wait: 'decided' }, a));
  await stage.time.advance(60_000);
  expect(await looked()).toEqual(['problem', 'ok']);
  await stage.time.advance(10 * 60_000);
  expect(await looked()).toEqual(['problem', 'note']);
});

it('tells why a check could not be made', async () => {
  const verify = () => Promise.reject(new Failure('LOG_UNAVAILABLE', 'the audit cannot be read'));
  const { doctor } = await start({ audit: { verify } });
  const { findings } = await doctor.examine();
  expect(found(findings, 'audit.chain')).toMatchObject({
    level: 'problem',
    seen: 'It could not be looked at: LOG_UNAVAILABLE: the audit cannot be read',
  });
});

it('names who is waited for in either mode, and nobody once it is over', async () => {
  const { stage, doctor } = await start();
  stage.script(() => ({ outcome: 'unknown', error: 'away' }));
  const participant = { service: 'bank', method: 'debit' };
  stage.ask<TransactionAnswer>((e, a) =>
    e.begin({ gid: 'g1', branches: [{ participant }, { participant }] }, a),
  );
  const steps = [{ name: 'fly', participant: { service: 'trip', method: 'fly' } }];
  stage.ask((e, a) => e.submit({ gid: 's1', name: 'trip', steps, wait: 'submitted' }, a));
  await stage.time.settle();
  const seen = async () =>
    (await doctor.examine()).findings
      .filter(({ check }) => check === 'participant.silent')
      .map((one) => one.seen);
  expect(await seen()).toEqual([
    expect.stringContaining('bank/debit: open transactions that wait for it: 1,'),
    expect.stringContaining('trip/fly: open transactions that wait for it: 1,'),
  ]);
  stage.script(() => done);
  stage.ask((e, a) => e.decide({ gid: 'g1', direction: 'rollback' }, a));
  await stage.time.advance(120_000);
  expect(await seen()).toEqual([expect.stringContaining('Every open transaction finds')]);
});

it.each([
  ['an older version', 'METHOD_NOT_OFFERED: at.orders has no operation health', 'note'],
  ['a database that is away', 'connect ECONNREFUSED', 'problem'],
] as const)('a resource of %s says nothing of its tables', async (_, error, level) => {
  const connected = () => [{ service: 'shop', methods: ['at.orders', 'pay'] }];
  const { stage, doctor } = await start({ connected });
  const answer: CallAnswer = { outcome: 'unknown', error };
  stage.script(() => answer);
  const examined = doctor.examine();
  await stage.time.settle();
  const { findings } = await examined;
  expect(found(findings, 'participant.tables')).toMatchObject({ level });
  expect(stage.calls.map((call) => `${call.method} ${call.operation}`)).toEqual([
    'at.orders health',
  ]);
});

it('judges certificates by the days that are left', () => {
  const day = 86_400_000;
  const levels = [40, 20, 3, -1].map((days) => certificateFinding('o', days * day, 0).level);
  expect(levels).toEqual(['ok', 'note', 'problem', 'problem']);
});
