/**
 * The reference model for replies: which answers a request may get, given what was durable when it
 * was asked and what is durable now. Pure. What an answer says must be so (S4); a refusal must have
 * its reason; "come again" is always allowed.
 */
import type {
  BeginRequest,
  BranchKind,
  DecideRequest,
  GetRequest,
  RegisterRequest,
  SubmitRequest,
  TransactionAnswer,
  TransactionView,
  TryAnswer,
  TryRequest,
} from '../../client-sdk/protocol/index.ts';
import type { Transaction } from '../../server/core/transaction.ts';
import type { Answer } from '../../server/engine/coordinator.ts';

/** One request as it is put to a coordinator. */
export type Asked =
  | { readonly verb: 'begin'; readonly request: BeginRequest }
  | { readonly verb: 'register'; readonly request: RegisterRequest }
  | { readonly verb: 'try'; readonly request: TryRequest }
  | { readonly verb: 'decide'; readonly request: DecideRequest }
  | { readonly verb: 'submit'; readonly request: SubmitRequest }
  | { readonly verb: 'get'; readonly request: GetRequest };

/** What a request is answered. */
export type Reply = Answer<TransactionAnswer | TransactionView | TryAnswer>;

/** What is durable of a gid: when it was asked, and now. */
export interface Known {
  readonly asked: Transaction | null;
  readonly now: Transaction | null;
  /** The term of who answers runs. Who has not noticed that its own is over answers from memory. */
  readonly isHolder: boolean;
  /** The branch's operation has taken effect at its bank. */
  readonly hasExecuted: (branchId: number, operation: string) => boolean;
}

/** Refusals that bind nothing: the same request may be made again. */
export const comeAgain: readonly string[] = [
  'OVERLOADED',
  'LOG_UNAVAILABLE',
  'STOPPING',
  'FENCED',
  'METHOD_NOT_OFFERED',
];

/** What is wrong with the reply; null: nothing. */
export function judge(asked: Asked, reply: Reply, known: Known): string | null {
  if (!reply.ok) return judgeRefusal(asked, reply.code, known);
  const { now } = known;
  if (now === null) return 'accepted, but nothing is durable';
  if (asked.verb === 'try') {
    const { branchId } = asked.request;
    return known.hasExecuted(branchId, 'try') ? null : 'the try is called done, but never was';
  }
  const answer = reply.body as TransactionAnswer;
  const said = directionOf(answer);
  if (said !== null && said !== directionOf(now)) {
    return `told ${answer.phase}, but durable is ${now.phase}`;
  }
  return judgeAccepted(asked, answer, now);
}

function judgeAccepted(asked: Asked, answer: TransactionAnswer, now: Transaction): string | null {
  switch (asked.verb) {
    case 'begin': {
      if (now.name !== (asked.request.name ?? '')) return 'begun with what another one asked';
      return wrongIds(answer.branchIds, now, null);
    }
    case 'register':
      return wrongIds(answer.branchIds, now, asked.request.request);
    case 'decide': {
      const { direction } = asked.request;
      return directionOf(answer) === direction ? null : `asked ${direction}, told ${answer.phase}`;
    }
    case 'submit': {
      if (now.name !== asked.request.name) return 'submitted what another one asked';
      if (answer.phase !== 'committed') return null;
      const names = Object.keys(answer.results ?? {}).join();
      const wanted = asked.request.steps.map((step) => step.name).join();
      return names === wanted ? null : `results of [${names}] instead of [${wanted}]`;
    }
    case 'try':
    case 'get':
      return null;
    default:
      return asked satisfies never;
  }
}

/** The ids told are those that are durable for this request, in its order. */
function wrongIds(
  told: readonly number[] | undefined,
  now: Transaction,
  request: string | null,
): string | null {
  if (now.mode !== 'transaction') return 'branches of a saga';
  const durable = now.branches.filter((b) => b.request === request).map((b) => b.branchId);
  return `${told}` === `${durable}` ? null : `told branches ${told}, durable are ${durable}`;
}

function judgeRefusal(asked: Asked, code: string, known: Known): string | null {
  if (comeAgain.includes(code)) return null;
  const { asked: before, now } = known;
  const isSo = ((): boolean => {
    switch (code) {
      case 'ALREADY_COMMITTED':
        return now !== null && directionOf(now) === 'commit';
      case 'ALREADY_ROLLED_BACK':
        return now !== null && directionOf(now) === 'rollback';
      case 'CONFLICT':
        if (asked.verb !== 'begin' && asked.verb !== 'submit') return false;
        return now !== null && now.name !== (asked.request.name ?? '');
      case 'NOT_FOUND':
        return !known.isHolder || isUnknown(asked, before);
      case 'REFUSED':
      case 'UNKNOWN':
      case 'ONGOING':
        return asked.verb === 'try' && kindOf(now, asked.request.branchId) === 'tcc';
      case 'INVALID_REQUEST':
        return asked.verb === 'try' && kindOf(now, asked.request.branchId) === 'at';
      case 'PIVOT_STARTED':
        return now?.mode === 'saga' && now.steps.some((step) => step.isPivot);
      default:
        return false;
    }
  })();
  return isSo
    ? null
    : `${asked.verb} is refused ${code}, but durable is ${now?.phase ?? 'nothing'}`;
}

function kindOf(tx: Transaction | null, branchId: number): BranchKind | null {
  return tx?.mode === 'transaction' ? (tx.branches[branchId - 1]?.kind ?? null) : null;
}

function isUnknown(asked: Asked, before: Transaction | null): boolean {
  if (before === null) return true;
  if (asked.verb !== 'try' || before.mode !== 'transaction') return false;
  return before.branches.length < asked.request.branchId;
}

/** Which way a phase goes; null while undecided. */
export function directionOf(tx: Pick<Transaction, 'phase'>): 'commit' | 'rollback' | null {
  if (tx.phase === 'active') return null;
  return tx.phase === 'committing' || tx.phase === 'committed' ? 'commit' : 'rollback';
}
