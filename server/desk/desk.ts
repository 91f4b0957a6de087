/**
 * What operators ask for, done in order: look, write down that it is about to be done, do it, write
 * down what came of it. Guard: nothing is changed that is not in the audit first, and a coordinator
 * whose desk is read-only changes nothing by it.
 */
import {
  type AuditAnswer,
  type AuditRequest,
  type AuditVerdict,
  type DoctorAnswer,
  type Gid,
  type Json,
  limits,
  type OperationAnswer,
  type OperationRequest,
  type OperationResult,
  type ResolvedAnswer,
  type ResolveRequest,
} from '../../client-sdk/protocol/index.ts';
import type { Answer, Coordinator, Matching } from '../engine/coordinator.ts';
import { Failure } from '../runtime/failure.ts';
import type { Audit, AuditDraft } from './audit.ts';
import type { Doctor } from './doctor.ts';

/** What the edge may ask of the desk. Never rejects for what a caller did. */
export interface Desk {
  /** Does it to each of them, one after the other; who is refused does not stop the rest. */
  operate(request: OperationRequest, who: string): Promise<Answer<OperationAnswer>>;
  /** Resolves dirty rows; see the coordinator. */
  resolve(request: ResolveRequest, who: string): Promise<Answer<ResolvedAnswer>>;
  /**
   * Any other change by a human: on the record before it is done, and after. FORBIDDEN where the desk
   * is read-only, LOG_UNAVAILABLE when it cannot be written down; then nothing is done.
   */
  change<T>(
    draft: ChangeDraft,
    work: () => Promise<Changed<T>>,
  ): Promise<Answer<{ readonly seq: number; readonly answer: T }>>;
  audit(request: AuditRequest): Promise<Answer<AuditAnswer>>;
  verifyAudit(): Promise<Answer<AuditVerdict>>;
  /** Looks everything over; changes nothing. */
  doctor(): Promise<Answer<DoctorAnswer>>;
}

/** Who is about to do what, to what, and why. */
export type ChangeDraft = Pick<AuditDraft, 'who' | 'action' | 'reason' | 'target'>;

/** What came of it; `before` and `after` go into the audit. */
export interface Changed<T> {
  readonly answer: T;
  readonly before: Json;
  readonly after: Json;
}

/** What it needs. */
export interface DeskPorts {
  readonly coordinator: Pick<Coordinator, 'operate' | 'resolve' | 'matching'>;
  readonly audit: Audit;
  readonly isReadOnly: boolean;
  readonly doctor: Doctor;
}

/** What the coordinator answers: it knows nothing of the audit. */
type ResolvedRows = Omit<ResolvedAnswer, 'auditSeq'>;

/** At the same time: each may wait for a durable record, and they share commits. */
const atOnce = 64;
const auditLimitDefault = 50;

/** The desk of one coordinator. */
export function createDesk(ports: DeskPorts): Desk {
  const { coordinator, audit, isReadOnly } = ports;

  async function find(request: OperationRequest): Promise<Answer<Matching>> {
    const { gids, query, countMax } = request;
    if (query === undefined) {
      const named = [...new Set(gids)];
      return { ok: true, body: { gids: named, total: named.length } };
    }
    const found = await new Promise<Answer<Matching>>((resolve) =>
      coordinator.matching(query, limits.operationGidsMax, resolve),
    );
    if (!found.ok || countMax === undefined || found.body.total <= countMax) return found;
    const detail = `it finds ${found.body.total} by now, more than ${countMax}: look again`;
    return { ok: false, code: 'CONFLICT', detail };
  }

  function one(request: OperationRequest, gid: Gid, who: string): Promise<OperationResult> {
    const { action, branchId, operation, result = null, reason, dryRun = false } = request;
    const isWhole = branchId !== undefined && operation !== undefined;
    const owed = isWhole ? { branchId, operation } : null;
    return new Promise((resolve) => {
      const asked = { gid, action, owed, result, operator: { who, reason }, dryRun };
      coordinator.operate(asked, (answer) => {
        if (answer.ok) return resolve({ ...answer.body, error: null });
        const { code, detail } = answer;
        resolve({ gid, name: '', before: null, after: null, error: { code, detail } });
      });
    });
  }

  /** Writes down, does, and writes down what came of it. */
  async function onRecord<T>(
    draft: ChangeDraft,
    work: () => Promise<Changed<T>>,
  ): Promise<{ readonly seq: number; readonly answer: T }> {
    const about = { ...draft, before: null, after: null };
    const { seq } = await audit.write({ ...about, stage: 'asked', of: null });
    const { answer, before, after } = await work();
    await audit.write({ ...draft, stage: 'done', of: seq, before, after });
    return { seq, answer };
  }

  return {
    async operate(request, who) {
      const { action, reason, dryRun = false } = request;
      if (isReadOnly && !dryRun) return readOnly;
      const found = await find(request);
      if (!found.ok) return found;
      const { gids, total: matched } = found.body;
      const work = () => inTurns(gids, (gid) => one(request, gid, who));
      if (dryRun) {
        return { ok: true, body: { auditSeq: null, dryRun, matched, results: await work() } };
      }
      return refusing(async () => {
        const target = targetOf(request, gids);
        const done = await onRecord({ who, action: `tx.${action}`, reason, target }, async () => {
          const answer = await work();
          return { answer, ...summaryOf(answer) };
        });
        return { auditSeq: done.seq, dryRun, matched, results: done.answer };
      });
    },
    async resolve(request, who) {
      const ask = () =>
        new Promise<Answer<ResolvedRows>>((done) => coordinator.resolve(request, done));
      if (request.dryRun === true) return withSeq(await ask(), null);
      if (isReadOnly) return readOnly;
      const draft = {
        who,
        action: 'undo.resolve',
        reason: request.reason,
        target: rowsOf(request),
      };
      const done = await refusing(() =>
        onRecord(draft, async () => {
          const answer = await ask();
          const after = answer.ok
            ? { rows: answer.body.rowsTotal }
            : { refused: answer.code, detail: answer.detail };
          return { answer, before: null, after };
        }),
      );
      return done.ok ? withSeq(done.body.answer, done.body.seq) : done;
    },
    change(draft, work) {
      return isReadOnly ? Promise.resolve(readOnly) : refusing(() => onRecord(draft, work));
    },
    audit({ limit = auditLimitDefault, before = null }) {
      return refusing(async () => {
        const entries = await audit.list(limit, before);
        const last = entries.at(-1);
        const hasMore = last !== undefined && last.seq > 1 && entries.length === limit;
        return { entries, nextBefore: hasMore ? last.seq : null };
      });
    },
    verifyAudit: () => refusing(() => audit.verify()),
    doctor: async () => ({ ok: true, body: await ports.doctor.examine() }),
  };
}

const readOnly = { ok: false, code: 'FORBIDDEN', detail: 'this desk is read-only' } as const;

/** Failures of the log are answers; anything else is ours, and rejects. */
async function refusing<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, body: await work() };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { ok: false, code: error.code, detail: error.detail, retryAfterMs: 1_000 };
  }
}

async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += atOnce) {
    results.push(...(await Promise.all(items.slice(from, from + atOnce).map(work))));
  }
  return results;
}

/** A query is kept as it was asked, with all that it found: later it would find others. */
function targetOf(request: OperationRequest, gids: readonly Gid[]): Json {
  const { query, branchId, operation, result } = request;
  return {
    gids,
    ...(query === undefined ? {} : { query: { ...query } }),
    ...(branchId === undefined ? {} : { branchId }),
    ...(operation === undefined ? {} : { operation }),
    ...(result === undefined ? {} : { result }),
  };
}

function withSeq(answer: Answer<ResolvedRows>, auditSeq: number | null): Answer<ResolvedAnswer> {
  return answer.ok ? { ...answer, body: { auditSeq, ...answer.body } } : answer;
}

/** What was chosen, whole: a merge is known by its columns only. Digests say nothing to a reader. */
function rowsOf(request: ResolveRequest): Json {
  const { gid, branchId = null, resource = null, rows = [], otherwise } = request;
  const choices = rows.map(({ table, key, choice, columns }) => ({
    ...{ table, key, choice },
    ...(columns === undefined ? {} : { columns: { ...columns } }),
  }));
  return { gid, branchId, resource, choices, otherwise: otherwise?.choice ?? null };
}

/** By gid, short: entries of a thousand transactions stay small. */
function summaryOf(results: readonly OperationResult[]): { before: Json; after: Json } {
  const before = Object.fromEntries(results.map(({ gid, before: phase }) => [gid, phase]));
  const after = Object.fromEntries(
    results.map(({ gid, after: phase, error }) => [gid, error === null ? phase : error.code]),
  );
  return { before, after };
}
