/** The chain of what people have done: order, durability, fences, and what tampering looks like. */
import { expect, it } from 'vitest';
import { type AuditDraft, auditGidPrefix, createAudit } from '../../server/desk/audit.ts';
import type { TransactionLog } from '../../server/log/log.ts';
import { createMemoryStore, openMemoryLog } from '../../server/log/memory-log.ts';
import { systemClock } from '../../server/runtime/clock.ts';

const draft: AuditDraft = {
  who: 'eve',
  action: 'tx.retry',
  reason: 'the bank is back',
  stage: 'asked',
  of: null,
  target: { gid: 'g1' },
  before: null,
  after: null,
};

async function start(store = createMemoryStore(), change = (log: TransactionLog) => log) {
  const log = openMemoryLog(store);
  const term = await log.takeOver('n1', 'http://127.0.0.1:1', 1);
  const audit = createAudit({ clock: systemClock(), log: change(log), term: () => term });
  return { store, log, audit };
}

function slot(store: ReturnType<typeof createMemoryStore>, segment: number) {
  const slots = store.slots.get(`${auditGidPrefix}${String(segment).padStart(8, '0')}`);
  if (slots === undefined) throw new Error('no such segment');
  return slots;
}

it('numbers entries and chains them by hash, over segments and restarts', async () => {
  const { store, audit } = await start();
  // Not awaited one by one: the chain orders them.
  await Promise.all(
    Array.from({ length: 600 }, (_, n) => audit.write({ ...draft, reason: `${n + 1}` })),
  );
  const { audit: later } = await start(store);
  const last = await later.write({ ...draft, stage: 'done', of: 600 });
  expect(last.seq).toBe(601);
  const newest = await later.list(3, null);
  expect(newest.map(({ seq }) => seq)).toEqual([601, 600, 599]);
  expect(newest[0]?.previous).toBe(newest[1]?.hash);
  expect((await later.list(300, 512)).map(({ seq }) => seq)).toEqual(
    Array.from({ length: 300 }, (_, n) => 511 - n),
  );
  expect(await later.list(5, 1)).toEqual([]);
  expect(await later.verify()).toEqual({ entries: 601, head: last.hash, brokenAt: null });
});

it.each([0, 1, 255, 256, 257, 512, 1_100])('finds its end after %i entries', async (count) => {
  const { store, audit } = await start();
  for (let n = 0; n < count; n += 1) await audit.write(draft);
  const { audit: later } = await start(store);
  expect((await later.write(draft)).seq).toBe(count + 1);
  expect(await later.verify()).toMatchObject({ entries: count + 1, brokenAt: null });
});

it('verify finds an entry that was changed, taken out, or put in', async () => {
  const { store, audit } = await start();
  for (let n = 0; n < 5; n += 1) await audit.write(draft);
  const slots = slot(store, 1);
  const third = slots.get(3);
  if (third === undefined) throw new Error('no third entry');
  slots.set(3, { ...third, records: third.records.replace('the bank is back', 'never mind') });
  expect(await audit.verify()).toMatchObject({ entries: 2, brokenAt: 3 });
  slots.delete(3);
  expect(await audit.verify()).toMatchObject({ entries: 2, brokenAt: 3 });
  slots.set(3, third);
  expect(await audit.verify()).toMatchObject({ entries: 5, brokenAt: null });
  const fifth = slots.get(5);
  if (fifth === undefined) throw new Error('no fifth entry');
  slots.set(6, { ...fifth, seq: 6 });
  expect(await audit.verify()).toMatchObject({ entries: 5, brokenAt: 6 });
});

it('verify finds a segment that is gone', async () => {
  const { store, audit } = await start();
  for (let n = 0; n < 520; n += 1) await audit.write(draft);
  slot(store, 2).clear();
  expect(await audit.verify()).toMatchObject({ entries: 256, brokenAt: 257 });
});

it('sends an append again whose outcome is not known, and has it once', async () => {
  let appends = 0;
  const { audit } = await start(createMemoryStore(), (log) => ({
    ...log,
    async append(term, batch) {
      const answers = await log.append(term, batch);
      appends += 1;
      return appends % 2 === 1 ? answers.map(() => 'unknown' as const) : answers;
    },
  }));
  await audit.write(draft);
  await audit.write(draft);
  expect(appends).toBe(4);
  expect(await audit.verify()).toMatchObject({ entries: 2, brokenAt: null });
});

it('says so when the log does not answer, and goes on behind what landed all the same', async () => {
  let isSilent = true;
  const { audit } = await start(createMemoryStore(), (log) => ({
    ...log,
    async append(term, batch) {
      const answers = await log.append(term, batch);
      return isSilent ? answers.map(() => 'unknown' as const) : answers;
    },
  }));
  await expect(audit.write(draft)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  isSilent = false;
  expect((await audit.write({ ...draft, reason: 'again' })).seq).toBe(2);
  expect(await audit.verify()).toMatchObject({ entries: 2, brokenAt: null });
});

it('writes nothing once another coordinator has the log', async () => {
  const { store, audit } = await start();
  await audit.write(draft);
  await openMemoryLog(store).takeOver('n2', 'http://127.0.0.1:2', 2);
  await expect(audit.write(draft)).rejects.toMatchObject({ code: 'FENCED' });
  expect(await audit.verify()).toMatchObject({ entries: 1, brokenAt: null });
});

it('is no transaction: nothing of it is open', async () => {
  const { log, audit } = await start();
  await audit.write(draft);
  expect(await log.openGids('', 10)).toEqual([]);
  expect((await log.search({ limit: 10 })).rows).toEqual([]);
});
