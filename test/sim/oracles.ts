/**
 * The safety invariants, checked at the moment in which something happens, against the truth: the
 * state that the rows in the store give. A violation ends the run with its story.
 * @see docs/reliability.md
 */
import type { BranchView } from '../../client-sdk/protocol/index.ts';
import { apply } from '../../server/core/apply.ts';
import { keyOf } from '../../server/core/effect.ts';
import { outstanding } from '../../server/core/outstanding.ts';
import type { LogRecord } from '../../server/core/record.ts';
import type { Saga, Transaction } from '../../server/core/transaction.ts';
import type { IndexRow, LogRow } from '../../server/log/log.ts';
import type { Bank, BankOperation, Execution } from './bank.ts';
import { directionOf } from './model.ts';
import { createMoney } from './money.ts';

/** What a branch of each kind does in phase one, to commit, and to roll back. */
type Three = readonly [forward: BankOperation, final: BankOperation, back: BankOperation];
const operationsOf: Readonly<Record<BranchView['kind'], Three>> = {
  tcc: ['try', 'confirm', 'cancel'],
  at: ['prepare', 'commit', 'rollback'],
  step: ['run', 'run', 'undo'],
};

/** What was promised and is not so. */
export interface Violation {
  readonly rule: string;
  readonly gid: string;
  readonly detail: string;
}

/** A coordinator that asks: its term, whether that runs, and whether it knows that it does not. */
export interface Asker {
  readonly epoch: number;
  readonly isHolder: boolean;
  readonly isFenced: boolean;
}

/** The oracles of one run. */
export interface Oracles {
  readonly truth: ReadonlyMap<string, Transaction>;
  /** Open ones among them. */
  readonly open: ReadonlySet<string>;
  /** A row has landed; `index` is what the store's index now says of its gid. */
  landed(row: LogRow, index: IndexRow | undefined): void;
  executed(bank: string, execution: Execution): void;
  hasExecuted(gid: string, branchId: number, operation: string): boolean;
  /** A coordinator asks a participant for what it believes to be owed. */
  asked(gid: string, operation: string, asker: Asker): void;
  /** After healing: everything is terminal and no money is lost or held. */
  checkEnd(): void;
  fail(rule: string, gid: string, detail: string): void;
  violations(): readonly Violation[];
}

/** Oracles that have seen nothing yet, over these banks. */
export function createOracles(banks: readonly Bank[]): Oracles {
  const truth = new Map<string, Transaction>();
  const open = new Set<string>();
  const lastSeq = new Map<string, number>();
  const executions = new Map<string, Set<string>>();
  const violations: Violation[] = [];
  const money = createMoney(banks, fail);
  let lastEpoch = 0;

  function fail(rule: string, gid: string, detail: string): void {
    violations.push({ rule, gid, detail });
  }

  function landed(row: LogRow, index: IndexRow | undefined): void {
    const { gid } = row;
    const seq = (lastSeq.get(gid) ?? 0) + 1;
    if (row.seq !== seq) fail('S6', gid, `row ${row.seq} landed where ${seq} was next`);
    if (row.epoch < lastEpoch) fail('S7', gid, `epoch ${row.epoch} after ${lastEpoch}`);
    lastEpoch = row.epoch;
    lastSeq.set(gid, row.seq);
    for (const record of JSON.parse(row.records) as readonly LogRecord[]) {
      const before = truth.get(gid) ?? null;
      if (before !== null) checkRecord(before, record);
      const after = apply(before, record);
      if (before !== null) checkStep(before, after);
      truth.set(gid, after);
    }
    const tx = truth.get(gid);
    if (tx === undefined) return;
    if (tx.finishedAtMs === null) open.add(gid);
    else open.delete(gid);
    checkIndex(tx, index);
    money.became(tx);
  }

  /** One decision (S1), and only what was owed is done. */
  function checkRecord(before: Transaction, record: LogRecord): void {
    const { gid } = before;
    if (record.kind === 'decided' && before.phase !== 'active') {
      fail('S1', gid, `decided ${record.direction} when it was ${before.phase}`);
    }
    if (record.kind === 'decided' && before.mode === 'saga') checkUndo(before, record.undo ?? []);
    if (record.kind !== 'done') return;
    const owed = new Set(outstanding(before).map((effect) => effect.key));
    for (const operation of record.done) {
      if (owed.has(keyOf(operation))) continue;
      fail('S1', gid, `${operation.operation} of ${operation.branchId} done, but not owed`);
    }
  }

  /** What follows a step is undone before it. */
  function checkUndo({ gid, steps }: Saga, undo: readonly number[]): void {
    for (const [place, branchId] of undo.entries()) {
      const before = steps[branchId - 1]?.after ?? [];
      const wrong = undo.slice(0, place).find((id) => before.includes(id));
      if (wrong !== undefined)
        fail('S1', gid, `${wrong} is undone before ${branchId}, which follows`);
    }
  }

  function checkStep(before: Transaction, after: Transaction): void {
    const { gid } = before;
    const way = `${before.phase} to ${after.phase}`;
    if (before.phase === after.phase) return;
    if (before.finishedAtMs !== null) fail('S1', gid, `a finished transaction went ${way}`);
    const isSwitch = directionOf(before) !== null && directionOf(before) !== directionOf(after);
    if (isSwitch) fail('S1', gid, `the decision went ${way}`);
  }

  /** What CLI and console show of it is so: end, cause and attention. */
  function checkIndex(tx: Transaction, index: IndexRow | undefined): void {
    if (index === undefined) return fail('S5', tx.gid, 'it is not in the index');
    const outcome = tx.finishedAtMs === null ? null : tx.phase;
    if (index.outcome !== outcome) fail('S5', tx.gid, `the index says ${index.outcome}`);
    if (index.finishedAtMs !== tx.finishedAtMs) fail('S5', tx.gid, 'the index has another end');
    if (index.attention?.detail !== tx.attention?.detail) {
      fail('S5', tx.gid, `attention in the index: ${index.attention?.detail ?? 'none'}`);
    }
  }

  function executed(bank: string, execution: Execution): void {
    const { gid, branchId, operation, isEmpty } = execution;
    const tx = truth.get(gid);
    const what = `${operation} of branch ${branchId} at ${bank}`;
    if (tx === undefined) fail('S3', gid, `${what} before anything was durable`);
    else checkCause(tx, execution, what);
    if (isEmpty) return;
    const key = `${gid}/${branchId}`;
    const own = executions.get(key) ?? new Set();
    executions.set(key, own);
    if (own.has(operation)) fail('S9', gid, `${what} took effect twice`);
    own.add(operation);
    const isBoth =
      (own.has('confirm') && own.has('cancel')) || (own.has('commit') && own.has('rollback'));
    if (isBoth) fail('S2', gid, `branch ${branchId}: both`);
    money.moved(gid);
  }

  /** No operation without the durable record that justifies it (S3). */
  function checkCause(tx: Transaction, { branchId, operation }: Execution, what: string): void {
    const { gid } = tx;
    const direction = directionOf(tx);
    if ((operation === 'confirm' || operation === 'commit') && direction !== 'commit') {
      fail('S3', gid, `${what} without a durable commit`);
    }
    const isBackward = ['cancel', 'rollback', 'undo'].includes(operation);
    if (isBackward && direction !== 'rollback') {
      fail('S3', gid, `${what} without a durable rollback`);
    }
    if (tx.mode === 'transaction') {
      const kind = tx.branches[branchId - 1]?.kind;
      if (kind === undefined) fail('S3', gid, `${what} before it was registered`);
      else if (!operationsOf[kind].includes(operation)) fail('S3', gid, `${what}, of kind ${kind}`);
      return;
    }
    if (operation !== 'run') return;
    const step = tx.steps[branchId - 1];
    const isReady = step?.after.every((id) => tx.steps[id - 1]?.state === 'done');
    if (step?.isPivot && !isReady) fail('S3', gid, `${what}, a pivot, before its way was durable`);
  }

  function checkBranches(tx: Transaction): void {
    const parts =
      tx.mode === 'saga'
        ? tx.steps.map(({ branchId }) => ({ branchId, kind: 'step' as const }))
        : tx.branches;
    for (const { branchId, kind } of parts) {
      const own = executions.get(`${tx.gid}/${branchId}`) ?? new Set();
      const [forward, final, back] = operationsOf[kind];
      if (tx.phase === 'committed') {
        for (const owed of [forward, final]) {
          if (!own.has(owed)) fail('half', tx.gid, `committed without ${owed} of ${branchId}`);
        }
        if (own.has(back)) fail('half', tx.gid, `committed, but ${branchId} was reversed`);
      } else if (own.has(forward) !== own.has(back)) {
        fail('half', tx.gid, `rolled back with [${[...own]}] of branch ${branchId}`);
      }
    }
  }

  function checkEnd(): void {
    for (const tx of truth.values()) {
      if (tx.finishedAtMs === null) fail('L1', tx.gid, `still ${tx.phase} after healing`);
      else checkBranches(tx);
    }
    money.checkEnd();
  }

  return {
    truth,
    open,
    landed,
    executed,
    hasExecuted: (gid, branchId, operation) =>
      executions.get(`${gid}/${branchId}`)?.has(operation) ?? false,
    asked(gid, operation, { epoch, isHolder, isFenced }) {
      const tx = truth.get(gid);
      const isOver = tx !== undefined && tx.finishedAtMs !== null;
      if (isOver && isHolder) fail('S13', gid, `${operation} is asked of a finished transaction`);
      if (isFenced) fail('fenced', gid, `${operation} is asked in term ${epoch}, which is over`);
      // Who rolls a saga back undoes what its own term has asked; nobody else may ask more.
      if (tx?.mode === 'saga' && epoch < tx.epoch) {
        fail(
          'fenced',
          gid,
          `${operation} is asked in term ${epoch}, but term ${tx.epoch} began it`,
        );
      }
    },
    checkEnd,
    fail,
    violations: () => violations,
  };
}
