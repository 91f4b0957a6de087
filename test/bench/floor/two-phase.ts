/**
 * The messages and rows of a two-phase transaction: begin, tries passed on, decision, confirms. What
 * the real coordinator writes and sends when nothing goes wrong; nothing is checked.
 */
import type {
  BeginRequest,
  BranchSpec,
  DecideRequest,
  TryRequest,
} from '../../../client-sdk/protocol/index.ts';
import type { GroupCommit, QueuedRow } from './group-commit.ts';
import type { Calls, Peer } from './peers.ts';

/** One open transaction. */
export interface TwoPhase {
  readonly kind: 'twoPhase';
  readonly gid: string;
  readonly name: string;
  readonly startedAtMs: number;
  readonly deadlineAtMs: number;
  readonly branches: readonly Branch[];
  /** Who asked last, and the id of the question. */
  peer: Peer;
  requestId: number;
  wait: 'completed' | 'decided';
  owed: number;
}

interface Branch {
  readonly branchId: number;
  readonly service: string;
  readonly method: string;
  /** JSON text. */
  readonly payload: string;
  /** Who asked for its try to be passed on. */
  asker: Peer | null;
  requestId: number;
}

/** What the transactions share. */
export interface TwoPhasePorts {
  readonly epoch: number;
  readonly commit: GroupCommit<TwoPhase>;
  readonly calls: Calls<TwoPhase>;
}

/** What a hash of the request would look like. */
export const content = 'Y29udGVudC1oYXNoLW9mLXRoZS1mbG9vci0wMDAwMDA';

/** The requests of initiators and the answers of participants. */
export function createTwoPhase(ports: TwoPhasePorts) {
  const { epoch, commit, calls } = ports;
  const open = new Map<string, TwoPhase>();

  function begin(peer: Peer, requestId: number, body: BeginRequest): void {
    const { gid, name = '', timeoutMs = 30_000 } = body;
    const atMs = Date.now();
    const tx: TwoPhase = {
      kind: 'twoPhase',
      gid,
      name,
      startedAtMs: atMs,
      deadlineAtMs: atMs + timeoutMs,
      branches: (body.branches ?? []).map(branchOf),
      peer,
      requestId,
      wait: 'completed',
      owed: 0,
    };
    open.set(gid, tx);
    const records =
      `[{"kind":"begun","gid":"${gid}","name":"${name}","content":"${content}","epoch":${epoch},` +
      `"labels":{},"deadlineAtMs":${tx.deadlineAtMs},` +
      `"branches":[${tx.branches.map(branchRecord).join(',')}],"atMs":${atMs}}]`;
    const index = indexOf(tx, null);
    commit.urgent({ gid, seq: 1, atMs, records, index, owner: tx, durable: begun });
  }

  function begun(tx: TwoPhase): void {
    const ids = tx.branches.map((branch) => branch.branchId).join(',');
    reply(tx, `"phase":"active","cause":null`, `,"branchIds":[${ids}]`);
  }

  function passTry(peer: Peer, requestId: number, { gid, branchId }: TryRequest): void {
    const tx = find(gid);
    const branch = tx.branches[branchId - 1];
    if (branch === undefined) throw new Error(`${gid} has no branch ${branchId}`);
    branch.asker = peer;
    branch.requestId = requestId;
    calls.call(branch.service, callText(tx, branch, 'try'), tx, branchId);
  }

  function decide(peer: Peer, requestId: number, body: DecideRequest): void {
    const tx = find(body.gid);
    tx.peer = peer;
    tx.requestId = requestId;
    tx.wait = body.wait ?? 'completed';
    const atMs = Date.now();
    const records = `[{"kind":"decided","direction":"${body.direction}","cause":{"kind":"initiator"},"atMs":${atMs}}]`;
    const { gid } = tx;
    const index = tx.branches.length === 0 ? indexOf(tx, atMs) : null;
    commit.urgent({ gid, seq: 2, atMs, records, index, owner: tx, durable: decided });
  }

  function decided(tx: TwoPhase): void {
    tx.owed = tx.branches.length;
    if (tx.owed === 0) {
      open.delete(tx.gid);
      reply(tx, committed, '');
      return;
    }
    if (tx.wait === 'decided') reply(tx, committing, '');
    for (const branch of tx.branches) {
      calls.call(branch.service, callText(tx, branch, 'confirm'), tx, branch.branchId);
    }
  }

  function answered(tx: TwoPhase, branchId: number, result: unknown): void {
    const branch = tx.branches[branchId - 1];
    if (tx.owed === 0 && branch !== undefined && branch.asker !== null) {
      const text = JSON.stringify(result);
      branch.asker.write(`{"kind":"reply","id":${branch.requestId},"body":{"result":${text}}}`);
      return;
    }
    tx.owed -= 1;
    if (tx.owed > 0) return;
    if (tx.wait === 'completed') reply(tx, committed, '');
    const { gid } = tx;
    open.delete(gid);
    const atMs = Date.now();
    const done = tx.branches.map(doneOperation).join(',');
    const records = `[{"kind":"done","done":[${done}],"atMs":${atMs}}]`;
    const index = indexOf(tx, atMs);
    commit.lazy({ gid, seq: 3, atMs, records, index, owner: tx, durable: nobodyWaits });
  }

  function find(gid: string): TwoPhase {
    const tx = open.get(gid);
    if (tx === undefined) throw new Error(`${gid} is not open`);
    return tx;
  }

  return { begin, passTry, decide, answered };
}

function nobodyWaits(): void {}

const committing = '"phase":"committing","cause":{"kind":"initiator"}';
const committed = '"phase":"committed","cause":{"kind":"initiator"}';

function branchOf({ participant, payload = null }: BranchSpec, index: number): Branch {
  if (!('service' in participant)) throw new Error('the floor reaches services only');
  const { service, method } = participant;
  return {
    branchId: index + 1,
    service,
    method,
    payload: JSON.stringify(payload),
    asker: null,
    requestId: 0,
  };
}

function branchRecord({ branchId, service, method, payload }: Branch): string {
  return (
    `{"branchId":${branchId},"kind":"tcc",` +
    `"participant":{"service":"${service}","method":"${method}"},"payload":${payload}}`
  );
}

function doneOperation({ branchId }: Branch): string {
  return `{"branchId":${branchId},"operation":"confirm"}`;
}

function callText(tx: TwoPhase, branch: Branch, operation: 'try' | 'confirm'): string {
  const { branchId, method, payload } = branch;
  return `{"gid":"${tx.gid}","branchId":${branchId},"operation":"${operation}","method":"${method}","payload":${payload}}`;
}

function indexOf(tx: TwoPhase, finishedAtMs: number | null): QueuedRow<TwoPhase>['index'] {
  const { name, startedAtMs, deadlineAtMs } = tx;
  const isFinished = finishedAtMs !== null;
  return {
    mode: 'transaction',
    name,
    outcome: isFinished ? 'committed' : null,
    cause: isFinished ? '{"kind":"initiator"}' : null,
    startedAtMs,
    deadlineAtMs,
    finishedAtMs,
  };
}

function reply(tx: TwoPhase, state: string, more: string): void {
  const { gid, peer, requestId, deadlineAtMs } = tx;
  peer.write(
    `{"kind":"reply","id":${requestId},"body":{"gid":"${gid}","mode":"transaction",${state},"deadlineAtMs":${deadlineAtMs}${more}}}`,
  );
}
