/**
 * What operators ask of participants through the coordinator: how rows stand, to resolve dirty ones,
 * who holds rows. Each is one question to any live instance, asked once: no record comes of it and
 * nothing is retried. Guard: rows are resolved only under a transaction that is decided to roll back,
 * for a branch whose rollback is still owed.
 */
import {
  type Call,
  type CallAnswer,
  type Gid,
  type HealthAnswer,
  type InspectQuestion,
  type Json,
  type LocksAnswer,
  type LocksQuestion,
  type LocksRequest,
  limits,
  type Question,
  type ResolvedAnswer,
  type ResolveQuestion,
  type ResolveRequest,
  type UndoAnswer,
  type UndoOfResource,
  type UndoRequest,
} from '../../client-sdk/protocol/index.ts';
import type { Branch, Transaction } from '../core/transaction.ts';
import { type Admission, refusal } from './admission.ts';
import type { Calls } from './calls.ts';
import type { Answered } from './coordinator.ts';
import type { Mailbox } from './mailbox.ts';
import {
  failure,
  healthAnswerOf,
  inspectAnswerOf,
  locksPageOf,
  resolveAnswerOf,
} from './question-answers.ts';
import {
  branchesToResolve,
  methodOf,
  type ResourceBranches,
  resourceOf,
  resourcesOf,
} from './undo-branches.ts';

/** What operators may ask; part of the coordinator. Nothing of it is kept in the log. */
export interface OperatorDesk {
  undo(request: UndoRequest, answered: Answered<UndoAnswer>): void;
  resolve(request: ResolveRequest, answered: Answered<ResolvedRows>): void;
  locks(request: LocksRequest, answered: Answered<LocksAnswer>): void;
  /** Whether a resource has its tables. `method`: `at.<resource>`. */
  health(request: MethodRequest, answered: Answered<HealthAnswer>): void;
}

/** What came of a resolution, before it has its place in the audit. */
export type ResolvedRows = Omit<ResolvedAnswer, 'auditSeq'>;

/** Which method is asked. */
export interface MethodRequest {
  readonly service: string;
  readonly method: string;
}

/** What it needs of the engine. */
export interface OperatorPorts {
  readonly admission: Admission;
  readonly calls: Calls;
  /** Looks at a transaction in its turn; `answered` hears why not. */
  readonly look: <T>(
    gid: Gid,
    answered: Answered<T>,
    found: (mailbox: Mailbox, tx: Transaction) => void,
  ) => void;
}

const rowsDefault = 50;
/** The gid of a question about none. */
const nobody = '-';

/** The operators' half of a coordinator. */
export function createOperatorDesk({ admission, calls, look }: OperatorPorts): OperatorDesk {
  return {
    undo(request, answered) {
      look(request.gid, answered, (_, tx) => askUndo(calls, { tx, request }, answered));
    },
    resolve(request, answered) {
      look(request.gid, answered, (mailbox, tx) => {
        askResolve(calls, { mailbox, tx, request }, answered);
      });
    },
    locks(request, answered) {
      const refused = admission.work(nobody);
      if (refused !== null) return answered(refused);
      askLocks(calls, request, answered);
    },
    health(participant, answered) {
      const call = callOf(nobody, { branchId: 1, participant }, 'health', null);
      calls.ask(participant, call, (answer) => {
        const health = healthAnswerOf(answer);
        answered(health === null ? failure(answer) : { ok: true, body: health });
      });
    },
  };
}

interface UndoWish {
  readonly tx: Transaction;
  readonly request: UndoRequest;
}

function askUndo(calls: Calls, { tx, request }: UndoWish, answered: Answered<UndoAnswer>): void {
  const resources = resourcesOf(tx, request);
  if (!resources.ok) return answered(resources);
  const { limit = rowsDefault, cursor = '0' } = request;
  const offset = Number(cursor);
  if (!/^\d{1,9}$/.test(cursor)) {
    return answered(refusal('INVALID_REQUEST', 'cursor: is none that was given out'));
  }
  const { gid, phase } = tx;
  const { found } = resources;
  // All answers together are no larger than one request may be.
  const share = Math.floor(limits.bodyBytesMax / Math.max(1, found.length));
  const bytesMax = Math.min(limits.payloadBytesMax, share);
  const question: InspectQuestion = { offset, rowsMax: limit, bytesMax };
  const shown = new Map<number, UndoOfResource>();
  const show = (): void => {
    if (shown.size < found.length) return;
    const inOrder = [...shown].sort(([one], [other]) => one - other).map(([, one]) => one);
    answered({ ok: true, body: { gid, phase, resources: inOrder } });
  };
  for (const [at, resource] of found.entries()) {
    calls.ask(resource.participant, callOf(gid, resource.first, 'inspect', question), (answer) => {
      shown.set(at, undoOf(resource, answer));
      show();
    });
  }
  if (found.length === 0) show();
}

function undoOf({ participant, branches }: ResourceBranches, answer: CallAnswer): UndoOfResource {
  const inspected = inspectAnswerOf(answer);
  const about = {
    participant,
    resource: resourceOf(participant),
    branchIds: branches.map(({ branchId }) => branchId),
    isFinished: branches.every(({ isFinished }) => isFinished),
  };
  if (inspected === null) {
    const { code, detail } = failure(answer);
    const none = { rows: [], rowsTotal: 0, dirtyTotal: 0, seen: null, nextCursor: null };
    return { ...about, error: { code, detail }, ...none };
  }
  const { rows, rowsTotal, dirtyTotal, seen, nextOffset } = inspected;
  const nextCursor = nextOffset === null ? null : String(nextOffset);
  return { ...about, error: null, rows, rowsTotal, dirtyTotal, seen, nextCursor };
}

interface ResolveWish {
  readonly mailbox: Mailbox;
  readonly tx: Transaction;
  readonly request: ResolveRequest;
}

function askResolve(
  calls: Calls,
  { mailbox, tx, request }: ResolveWish,
  answered: Answered<ResolvedRows>,
): void {
  const named = branchesToResolve(tx, request);
  if (!named.ok) return answered(named);
  const { participant, branches, first } = named.found;
  const { gid } = tx;
  const { rows = [], otherwise = null, dryRun = false } = request;
  const question: ResolveQuestion = { rows, otherwise, dryRun, bytesMax: limits.payloadBytesMax };
  calls.ask(participant, callOf(gid, first, 'resolve', question), (answer) => {
    const resolved = resolveAnswerOf(answer);
    if (resolved === null) return answered(failure(answer));
    if (resolved.kind === 'refused') {
      const { code, detail } = resolved;
      // It is rolled back, or nothing stands against that: its rollback says so as soon as asked.
      if (code === 'NOTHING_TO_RESOLVE') calls.hasten(mailbox, participant);
      return answered(refusal(code, detail));
    }
    if (!dryRun) calls.hasten(mailbox, participant);
    const branchIds = branches.map(({ branchId }) => branchId);
    const { rows: written, rowsTotal } = resolved;
    answered({ ok: true, body: { gid, branchIds, participant, dryRun, rows: written, rowsTotal } });
  });
}

function askLocks(calls: Calls, request: LocksRequest, answered: Answered<LocksAnswer>): void {
  const { service, resource, table, gid, cursor } = request;
  const question: LocksQuestion = {
    order: request.order ?? 'newest',
    limit: request.limit ?? rowsDefault,
    ...(table === undefined ? {} : { table }),
    ...(gid === undefined ? {} : { gid }),
    ...(cursor === undefined ? {} : { after: cursor }),
  };
  const participant = { service, method: methodOf(resource) };
  const call = callOf(nobody, { branchId: 1, participant }, 'locks', question);
  calls.ask(participant, call, (answer) => {
    const page = locksPageOf(answer);
    if (page === null) return answered(failure(answer));
    const { locks, next: nextCursor } = page;
    answered({ ok: true, body: { service, resource, locks, nextCursor } });
  });
}

function callOf(
  gid: Gid,
  { branchId, participant }: Pick<Branch, 'branchId' | 'participant'>,
  operation: Question,
  question: InspectQuestion | ResolveQuestion | LocksQuestion | null,
): Call {
  const method = 'method' in participant ? participant.method : '';
  // Questions are made of texts, numbers, lists and plain objects.
  return { gid, branchId, operation, method, payload: question as unknown as Json };
}
