/**
 * The demo's check can fail: real shards with a short, right history, then one thing made wrong at
 * a time, in the files themselves or in what the coordinator or an initiator says.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { nodeSqlite } from '@settle/client/sqlite';
import { Kysely } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Method } from '../../client-sdk/participant/host.ts';
import { stepMethod, tccMethod } from '../../client-sdk/participant/method.ts';
import type { Json, Operation } from '../../client-sdk/protocol/index.ts';
import {
  type KeeperOf,
  sagaSteps,
  stepDefinition,
  tccDefinition,
} from '../../server/demo/bank-methods.ts';
import { check, type Finding, type Outcome, type Told } from '../../server/demo/check.ts';
import { groupCommitDialect } from '../../server/demo/group-commit-dialect.ts';
import { createShard, type LedgerTables } from '../../server/demo/ledger.ts';
import { moneyOf, readShards } from '../../server/demo/shard-reading.ts';
import {
  type Run,
  shardCount,
  shardFile,
  shardOf,
  type Transfer,
  transferOf,
} from '../../server/demo/workload.ts';

const run: Run = { tag: 'check', seed: 3, transfers: 50 };
const transfers = Array.from({ length: run.transfers }, (_, index) => transferOf(run, index));

let template: string;
let moneyBefore: number;
let folder: string;

beforeAll(async () => {
  template = mkdtempSync(join(tmpdir(), 'settle-check-'));
  for (let shard = 0; shard < shardCount; shard += 1) {
    createShard(join(template, shardFile(shard)), shard);
  }
  moneyBefore = moneyOf(readShards(template));
  await writeHistory(template);
});

afterAll(() => rmSync(template, { recursive: true }));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settle-check-'));
  cpSync(template, folder, { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true }));

type Methods = ReadonlyMap<string, Method>;

/** All transfers at once, so that local transactions share commits as they do in the demo. */
async function writeHistory(where: string): Promise<void> {
  const databases = Array.from({ length: shardCount }, (_, shard) => {
    const dialect = groupCommitDialect(nodeSqlite(join(where, shardFile(shard))));
    return new Kysely<LedgerTables>({ dialect });
  });
  const keeperOf: KeeperOf = (account) => {
    const db = databases[shardOf(account)];
    if (db === undefined) throw new Error(`no shard for ${account}`);
    return db;
  };
  const methods = [
    ...(['debit', 'credit'] as const).map((side) => tccMethod(side, tccDefinition(side, keeperOf))),
    ...sagaSteps.map((step) => stepMethod(step, stepDefinition(step, keeperOf))),
  ];
  const byName: Methods = new Map(methods.map((method) => [method.name, method]));
  await Promise.all(transfers.map((transfer) => carryOut(byName, transfer)));
  for (const db of databases) await db.destroy();
}

/** What a coordinator would have the participants do. */
async function carryOut(methods: Methods, transfer: Transfer): Promise<void> {
  const ask = async (
    branchId: number,
    method: string,
    operation: Operation,
    payload: Json,
  ): Promise<string | undefined> => {
    const call = { gid: transfer.gid, branchId, method, operation, payload };
    return (await methods.get(method)?.handle(call))?.outcome;
  };
  const isCommit = transfer.story === 'plain';
  const { from, to, cents } = transfer;
  if (transfer.mode === 'saga') {
    const done: number[] = [];
    for (const [index, step] of sagaSteps.entries()) {
      const outcome = await ask(index + 1, step, 'run', { ...transfer });
      if (outcome !== 'done') break;
      done.unshift(index);
    }
    if (isCommit) return;
    for (const index of done) {
      await ask(index + 1, sagaSteps[index] ?? '', 'undo', { ...transfer });
    }
    return;
  }
  const inputs = [
    { method: 'debit', payload: { account: from, cents } },
    { method: 'credit', payload: { account: to, cents } },
  ];
  for (const operation of ['try', isCommit ? 'confirm' : 'cancel'] as const) {
    await Promise.all(
      inputs.map(({ method, payload }, index) => ask(index + 1, method, operation, payload)),
    );
  }
}

function rightOutcome({ story }: Transfer): Outcome {
  return story === 'plain'
    ? { phase: 'committed', cause: 'initiator', hasAttention: false }
    : {
        phase: 'rolledBack',
        cause: story === 'abandoned' ? 'deadline' : 'refused',
        hasAttention: false,
      };
}

function rightAnswer({ gid, story }: Transfer): Told {
  if (story === 'abandoned') return { gid, told: 'abandoned' };
  return { gid, told: story === 'plain' ? 'committed' : 'rolledBack' };
}

interface Changes {
  readonly outcomes?: (right: Map<string, Outcome>) => void;
  readonly answers?: (right: readonly Told[]) => readonly Told[];
}

function checked({
  outcomes: change = () => {},
  answers = (right) => right,
}: Changes = {}): Finding {
  const outcomes = new Map(transfers.map((transfer) => [transfer.gid, rightOutcome(transfer)]));
  change(outcomes);
  return check({
    run,
    moneyBefore,
    shards: readShards(folder),
    outcomes,
    answers: answers(transfers.map(rightAnswer)),
  });
}

/** Changes a shard's file behind everybody's back; gives the number of rows that were hit. */
function tamper(account: string, sql: string): number {
  const db = new DatabaseSync(join(folder, shardFile(shardOf(account))));
  try {
    return Number(db.prepare(sql).run().changes);
  } finally {
    db.close();
  }
}

function transferThat(is: (transfer: Transfer) => boolean): Transfer {
  const found = transfers.find(is);
  if (found === undefined) throw new Error('the workload has no such transfer');
  return found;
}

const plain = (mode: Transfer['mode']): Transfer =>
  transferThat((transfer) => transfer.mode === mode && transfer.story === 'plain');

const wrongs = (finding: Finding) => finding.violations.map(({ gid, what }) => `${gid}: ${what}`);

test('holds when everything is right', () => {
  const finding = checked();
  expect(finding.violations).toEqual([]);
  expect(finding).toMatchObject({
    committed: 42,
    rolledBack: 8,
    open: 0,
    attention: 0,
    residue: 0,
    conserved: true,
    moneyAfter: moneyBefore,
  });
});

test('money from nowhere: not conserved, and the account is named', () => {
  const { to } = plain('saga');
  expect(tamper(to, `update account set cents = cents + 1 where account = '${to}'`)).toBe(1);
  const finding = checked();
  expect(finding.conserved).toBe(false);
  expect(finding.moneyAfter).toBe(moneyBefore + 1);
  expect(wrongs(finding).some((what) => what.startsWith(`null: ${to} has `))).toBe(true);
});

test('money moved between two accounts of a shard: conserved, yet wrong', () => {
  const { from } = plain('saga');
  const other = `${shardOf(from)}-fees`;
  tamper(from, `update account set cents = cents - 1 where account = '${from}'`);
  tamper(from, `update account set cents = cents + 1 where account = '${other}'`);
  const finding = checked();
  expect(finding.conserved).toBe(true);
  expect(finding.violations.map(({ gid }) => gid)).toEqual([null, null]);
});

test('held money and a reservation that stayed are residue', () => {
  const { from, gid } = plain('transaction');
  tamper(from, `update account set cents = cents - 5, held = 5 where account = '${from}'`);
  tamper(from, `insert into reservation values ('${gid}', 1, '${from}', 5)`);
  const finding = checked();
  expect(finding.residue).toBe(2);
  expect(finding.conserved).toBe(true);
  expect(wrongs(finding)).toContain(`null: ${from} holds 5`);
});

test('a ledger row that is gone', () => {
  const { to, gid } = plain('saga');
  expect(tamper(to, `delete from ledger where gid = '${gid}'`)).toBe(1);
  const found = wrongs(checked());
  expect(found).toContain(`${gid}: committed, but branch 3 did nothing`);
  expect(found).toContain(`${gid}: ${gid}/3/run is in the barrier and not in the ledger`);
});

test('a branch that was confirmed and cancelled', () => {
  const { from, gid, cents } = plain('transaction');
  tamper(from, `insert into ledger values ('${gid}', 1, 'cancel', '${from}', ${cents}, 0)`);
  expect(wrongs(checked())).toContain(`${gid}: committed, but branch 1 did cancel+confirm+try`);
});

test('a branch done in a transfer that was rolled back', () => {
  const { gid } = plain('transaction');
  const finding = checked({
    outcomes: (right) =>
      void right.set(gid, { phase: 'rolledBack', cause: 'initiator', hasAttention: false }),
    answers: (right) =>
      right.map((answer) => (answer.gid === gid ? { gid, told: 'rolledBack' } : answer)),
  });
  expect(wrongs(finding)).toContain(`${gid}: rolledBack, but branch 1 did confirm+try`);
  expect(finding.rolledBack).toBe(9);
});

test('a transfer that is open, unknown to the coordinator, or asks for attention', () => {
  const [first, second, third] = transfers.filter(({ story }) => story === 'plain');
  const finding = checked({
    outcomes(right) {
      right.set(first?.gid ?? '', { phase: 'committing', cause: 'initiator', hasAttention: false });
      right.delete(second?.gid ?? '');
      right.set(third?.gid ?? '', { phase: 'committed', cause: 'initiator', hasAttention: true });
    },
  });
  expect(finding).toMatchObject({ open: 2, attention: 1, committed: 40 });
  expect(wrongs(finding)).toEqual([
    `${first?.gid}: it is still committing`,
    `${second?.gid}: the coordinator does not know it`,
    `${third?.gid}: it is finished and asks for attention`,
    `${first?.gid}: its initiator was told committed, it is committing`,
    `${second?.gid}: its initiator was told committed, it is unknown`,
  ]);
});

test('an initiator that was told what is not so, or nothing', () => {
  const { gid } = plain('saga');
  const lied = checked({
    answers: (right) =>
      right.map((answer) => (answer.gid === gid ? { gid, told: 'rolledBack' } : answer)),
  });
  expect(wrongs(lied)).toEqual([`${gid}: its initiator was told rolledBack, it is committed`]);
  const silent = checked({ answers: (right) => right.filter((answer) => answer.gid !== gid) });
  expect(wrongs(silent)).toEqual([`${gid}: its initiator never had an answer`]);
});

test('a doomed transfer that committed, and an abandoned one that somebody decided', () => {
  const { gid } = transferThat(({ story }) => story === 'abandoned');
  const decided = checked({
    outcomes: (right) =>
      void right.set(gid, { phase: 'rolledBack', cause: 'initiator', hasAttention: false }),
  });
  expect(wrongs(decided)).toEqual([`${gid}: abandoned, yet it ended by initiator`]);
  const poor = transferThat(({ story }) => story === 'poor');
  const committed = checked({
    outcomes: (right) =>
      void right.set(poor.gid, { phase: 'committed', cause: 'completed', hasAttention: false }),
  });
  expect(wrongs(committed)).toContain(`${poor.gid}: poor, yet committed`);
});
