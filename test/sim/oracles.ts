/**
 * The invariants S1-S13, checked at the moment in which something happens, against the truth: the
 * state that the rows in the store give. A violation ends the run with its story.
 * @see docs/reliability.md
 */
import type { TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { apply } from '../../server/core/apply.ts';
import type { LogRecord } from '../../server/core/record.ts';
import type { Transaction } from '../../server/core/transaction.ts';
import type { LogRow } from '../../server/log/log.ts';
import type { Bank, Execution } from './bank.ts';

/** What was promised and is not so. */
export interface Violation {
  readonly rule: string;
  readonly gid: string;
  readonly detail: string;
}

/** The oracles of one run. */
export interface Oracles {
  readonly truth: ReadonlyMap<string, Transaction>;
  landed(row: LogRow): void;
  executed(bank: string, execution: Execution): void;
  /** An initiator was given an answer. */
  told(gid: string, answer: TransactionAnswer): void;
  /** An initiator was refused with ALREADY_COMMITTED or ALREADY_ROLLED_BACK. */
  toldDecided(gid: string, direction: 'commit' | 'rollback'): void;
  /** A coordinator whose term runs asks a participant. */
  asked(gid: string, operation: string): void;
  /** After healing: everything is terminal and no money is lost or held. */
  checkEnd(banks: readonly Bank[], moneyBefore: number): void;
  fail(rule: string, gid: string, detail: string): void;
  violations(): readonly Violation[];
}

/** Oracles that have seen nothing yet. */
export function createOracles(): Oracles {
  const truth = new Map<string, Transaction>();
  const lastSeq = new Map<string, number>();
  const executions = new Map<string, Set<string>>();
  const violations: Violation[] = [];
  let lastEpoch = 0;

  function fail(rule: string, gid: string, detail: string): void {
    violations.push({ rule, gid, detail });
  }

  function landed(row: LogRow): void {
    const { gid } = row;
    const seq = (lastSeq.get(gid) ?? 0) + 1;
    if (row.seq !== seq) fail('S6', gid, `row ${row.seq} landed where ${seq} was next`);
    if (row.epoch < lastEpoch) fail('S7', gid, `epoch ${row.epoch} after ${lastEpoch}`);
    lastEpoch = row.epoch;
    lastSeq.set(gid, row.seq);
    for (const record of JSON.parse(row.records) as readonly LogRecord[]) {
      const before = truth.get(gid) ?? null;
      const after = apply(before, record);
      if (before !== null) checkStep(before, after);
      truth.set(gid, after);
    }
  }

  function checkStep(before: Transaction, after: Transaction): void {
    const { gid } = before;
    const way = `${before.phase} to ${after.phase}`;
    if (before.phase === after.phase) return;
    const allowed = ['active', 'committing', 'rollingBack'];
    if (!allowed.includes(before.phase)) fail('S1', gid, `a finished transaction went ${way}`);
    const isSwitch = directionOf(before) !== null && directionOf(before) !== directionOf(after);
    if (isSwitch) fail('S1', gid, `the decision went ${way}`);
  }

  function executed(bank: string, execution: Execution): void {
    const { gid, branchId, operation, isEmpty } = execution;
    const tx = truth.get(gid);
    const direction = tx === undefined ? null : directionOf(tx);
    const what = `${operation} of branch ${branchId} at ${bank}`;
    if (tx === undefined) fail('S3', gid, `${what} before anything was durable`);
    if (operation === 'confirm' && direction !== 'commit') {
      fail('S3', gid, `${what} without a durable commit`);
    }
    const isBackward = operation === 'cancel' || operation === 'undo';
    if (isBackward && direction !== 'rollback')
      fail('S3', gid, `${what} without a durable rollback`);
    if (tx?.mode === 'transaction' && operation === 'try' && tx.branches.length < branchId) {
      fail('S3', gid, `${what} before it was registered`);
    }
    if (isEmpty) return;
    const key = `${gid}/${branchId}`;
    const own = executions.get(key) ?? new Set();
    executions.set(key, own);
    if (own.has(operation)) fail('S9', gid, `${what} took effect twice`);
    own.add(operation);
    if (own.has('confirm') && own.has('cancel')) fail('S2', gid, `branch ${branchId}: both`);
  }

  function told(gid: string, answer: TransactionAnswer): void {
    const tx = truth.get(gid);
    if (tx === undefined) return fail('S4', gid, `told ${answer.phase}, but nothing is durable`);
    const said = directionOf(answer);
    if (said !== null && said !== directionOf(tx)) {
      fail('S4', gid, `told ${answer.phase}, but durable is ${tx.phase}`);
    }
  }

  function toldDecided(gid: string, direction: 'commit' | 'rollback'): void {
    const tx = truth.get(gid);
    if (tx === undefined || directionOf(tx) !== direction) {
      fail('S4', gid, `told it is decided ${direction}, but durable is ${tx?.phase ?? 'nothing'}`);
    }
  }

  function checkBranches(tx: Transaction): void {
    const ops = (branchId: number) => executions.get(`${tx.gid}/${branchId}`) ?? new Set();
    const parts = tx.mode === 'saga' ? tx.steps : tx.branches;
    for (const { branchId } of parts) {
      const own = ops(branchId);
      const [forward, forthOrBack] = tx.mode === 'saga' ? ['run', 'undo'] : ['try', 'cancel'];
      if (tx.phase === 'committed') {
        const owed = tx.mode === 'saga' ? 'run' : 'confirm';
        if (!own.has(owed)) fail('half', tx.gid, `committed without ${owed} of ${branchId}`);
        if (own.has(forthOrBack)) fail('half', tx.gid, `committed, but ${branchId} was reversed`);
      } else if (own.has(forward) !== own.has(forthOrBack)) {
        fail('half', tx.gid, `rolled back with [${[...own]}] of branch ${branchId}`);
      }
    }
  }

  function checkEnd(banks: readonly Bank[], moneyBefore: number): void {
    for (const tx of truth.values()) {
      if (tx.finishedAtMs === null) fail('L1', tx.gid, `still ${tx.phase} after healing`);
      else checkBranches(tx);
    }
    let money = 0;
    for (const bank of banks) {
      for (const cents of bank.balance.values()) money += cents;
      for (const [key, { cents }] of bank.held)
        fail('L2', key, `${cents} still held at ${bank.name}`);
    }
    if (money !== moneyBefore) fail('S10', '-', `money was ${moneyBefore} and is ${money}`);
  }

  return {
    truth,
    landed,
    executed,
    told,
    toldDecided,
    asked(gid, operation) {
      const tx = truth.get(gid);
      const isOver = tx !== undefined && tx.finishedAtMs !== null;
      if (isOver) fail('S13', gid, `${operation} is asked of a finished transaction`);
    },
    checkEnd,
    fail,
    violations: () => violations,
  };
}

function directionOf(tx: Pick<Transaction, 'phase'>): 'commit' | 'rollback' | null {
  if (tx.phase === 'active') return null;
  return tx.phase === 'committing' || tx.phase === 'committed' ? 'commit' : 'rollback';
}
