/**
 * Participants of the virtual world: banks with accounts and a barrier table. A local transaction is
 * one step of this model, so it is atomic; the process may die before it, after it, or before its
 * answer has left. The rules of the barrier are those of `client-sdk/participant/barrier.ts`; branches
 * of kind at have accounts of their own, and their rules are in undo.ts.
 */
import type { Call, CallAnswer, Operation } from '../../client-sdk/protocol/index.ts';
import { performLocal, resourceMethod, type UndoRow } from './undo.ts';

/** What a bank can do; `prepare` is the local commit of an at branch, asked by its initiator. */
export type BankOperation = Operation | 'prepare';

/** What a bank is asked, by a coordinator or past it. */
export interface BankCall extends Omit<Call, 'operation'> {
  readonly operation: BankOperation;
}

/** What a transfer's branch or step asks for. */
export interface BankPayload {
  readonly account: string;
  readonly cents: number;
}

/** One operation that took effect (or an empty one that only left its guard row). */
export interface Execution {
  readonly gid: string;
  readonly branchId: number;
  readonly operation: BankOperation;
  readonly isEmpty: boolean;
}

/** Money and guards of one bank. It outlives the processes that serve it. */
export interface Bank {
  readonly name: string;
  readonly balance: Map<string, number>;
  /** Reserved by tries, by gid/branch. */
  readonly held: Map<string, { readonly account: string; readonly cents: number }>;
  readonly guards: Map<string, { readonly state: 'done' | 'blocked' }>;
  /** Of at branches that are not finished, oldest first; each locks its account. */
  readonly undo: UndoRow[];
}

/** Protections that a mutant may switch off, to prove that the oracles notice. */
export interface BankRules {
  readonly dedupes: boolean;
  readonly guardsEmpty: boolean;
  readonly guardsHanging: boolean;
  /** An account with an undo row of another gid is not changed. */
  readonly locks: boolean;
}

/** Who looks on, and whether the bank is willing to do new business. */
export interface Watch {
  readonly executed: (execution: Execution) => void;
  readonly isUnwilling: () => boolean;
}

const done: CallAnswer = { outcome: 'done', result: null };

/** A bank with accounts `0`, `1`, … for tcc and sagas and `at-0`, `at-1`, … for at, of 100 each. */
export function createBank(name: string, accounts: number): Bank {
  const balance = new Map<string, number>();
  for (let i = 0; i < accounts; i += 1) balance.set(`${i}`, 100).set(`at-${i}`, 100);
  return { name, balance, held: new Map(), guards: new Map(), undo: [] };
}

/** Performs one call as one local transaction; `executed` hears of what took effect. */
export function performCall(
  bank: Bank,
  call: BankCall,
  rules: BankRules,
  watch: Watch,
): CallAnswer {
  if (call.method === resourceMethod) return performLocal(bank, call, rules, watch);
  const { gid, branchId, operation } = call;
  if (operation === 'prepare' || operation === 'commit' || operation === 'rollback') {
    return {
      outcome: 'unknown',
      error: `METHOD_NOT_OFFERED: no ${operation} of a business method`,
    };
  }
  const key = (name: string) => `${gid}/${branchId}/${name}`;
  const run = (isEmpty: boolean) => watch.executed({ gid, branchId, operation, isEmpty });
  if (operation === 'try' || operation === 'run') {
    const guard = bank.guards.get(key(operation));
    if (guard?.state === 'blocked' && rules.guardsHanging) {
      return { outcome: 'refused', error: 'BARRIER_BLOCKED' };
    }
    if (guard?.state === 'done' && rules.dedupes) return done;
    const refusal = watch.isUnwilling() ? 'not today' : business(bank, call);
    if (refusal !== null) return { outcome: 'refused', error: refusal };
    bank.guards.set(key(operation), { state: 'done' });
    run(false);
    return done;
  }
  if (bank.guards.has(key(operation)) && rules.dedupes) return done;
  const forward = operation === 'undo' ? 'run' : 'try';
  const isTried = bank.guards.get(key(forward))?.state === 'done';
  if (operation === 'confirm' && !isTried) return { outcome: 'refused', error: 'no try' };
  if (!isTried && rules.guardsEmpty) {
    bank.guards.set(key(forward), { state: 'blocked' });
    run(true);
    return done;
  }
  business(bank, call);
  bank.guards.set(key(operation), { state: 'done' });
  run(false);
  return done;
}

/** Methods: `debit` takes money from the account, `credit` brings some. Null when it went well. */
function business(bank: Bank, call: BankCall): string | null {
  const { account, cents } = payloadOf(call);
  const hold = `${call.gid}/${call.branchId}`;
  const move = (by: number) => bank.balance.set(account, (bank.balance.get(account) ?? 0) + by);
  const isDebit = call.method === 'debit';
  switch (call.operation) {
    case 'try':
      if (isDebit && (bank.balance.get(account) ?? 0) < cents) return 'not enough money';
      if (isDebit) move(-cents);
      bank.held.set(hold, { account, cents: isDebit ? cents : 0 });
      return null;
    case 'confirm':
      if (!isDebit) move(cents);
      bank.held.delete(hold);
      return null;
    case 'cancel':
      if (isDebit) move(cents);
      bank.held.delete(hold);
      return null;
    case 'run':
      if (isDebit && (bank.balance.get(account) ?? 0) < cents) return 'not enough money';
      move(isDebit ? -cents : cents);
      return null;
    case 'undo':
      move(isDebit ? cents : -cents);
      return null;
    default:
      throw new Error(`${call.operation} is no business of a bank`);
  }
}

/** Sagas carry one input for all steps, by method; a branch carries its own. */
function payloadOf(call: BankCall): BankPayload {
  const payload = call.payload as unknown as BankPayload & Record<string, BankPayload>;
  return payload[call.method] ?? payload;
}
