/**
 * What participants answer to questions, and what that means to who asked: the parse boundary. A
 * participant may be older than the question, or be written by somebody else. Pure.
 */
import {
  type CallAnswer,
  type ErrorCode,
  type HealthAnswer,
  type InspectAnswer,
  isErrorCode,
  type Json,
  type LocksPage,
  type ResolveAnswer,
} from '../../client-sdk/protocol/index.ts';
import { refusal } from './admission.ts';
import type { Refusal } from './coordinator.ts';

/** Null: it is none. */
export function inspectAnswerOf(answer: CallAnswer): InspectAnswer | null {
  const result = resultOf(answer);
  if (result === null || !isCount(result['rowsTotal']) || !isCount(result['dirtyTotal']))
    return null;
  const { rows, seen, nextOffset } = result;
  const isNext = nextOffset === null || isCount(nextOffset);
  if (!Array.isArray(rows) || typeof seen !== 'string' || !isNext) return null;
  // The rows are for people: they are passed on, never looked into.
  return result as unknown as InspectAnswer;
}

/** Null: it is none. */
export function resolveAnswerOf(answer: CallAnswer): ResolveAnswer | null {
  const result = resultOf(answer);
  if (result?.['kind'] === 'refused') {
    const { code, detail } = result;
    const isRefusal = typeof code === 'string' && isErrorCode(code) && typeof detail === 'string';
    return isRefusal ? (result as unknown as ResolveAnswer) : null;
  }
  const isResolved = result?.['kind'] === 'resolved' && Array.isArray(result['rows']);
  return isResolved && isCount(result['rowsTotal']) ? (result as unknown as ResolveAnswer) : null;
}

/** Null: it is none. */
export function locksPageOf(answer: CallAnswer): LocksPage | null {
  const result = resultOf(answer);
  const next = result?.['next'];
  const isPage = Array.isArray(result?.['locks']) && (next === null || typeof next === 'string');
  return isPage ? (result as unknown as LocksPage) : null;
}

/** Null: it is none. */
export function healthAnswerOf(answer: CallAnswer): HealthAnswer | null {
  const tables = resultOf(answer)?.['tables'];
  if (!Array.isArray(tables)) return null;
  const isWhole = tables.every((table: Json) => isTableHealth(table));
  return isWhole ? ({ tables } as unknown as HealthAnswer) : null;
}

function isTableHealth(table: Json): boolean {
  if (typeof table !== 'object' || table === null || Array.isArray(table)) return false;
  const { table: name, isThere, rows, bytes } = table as Readonly<Record<string, Json>>;
  const isNamed = name === 'settle_undo' || name === 'settle_barrier';
  return isNamed && typeof isThere === 'boolean' && isCount(rows) && isCount(bytes);
}

function resultOf(answer: CallAnswer): Readonly<Record<string, Json>> | null {
  if (answer.outcome !== 'done') return null;
  const { result } = answer;
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return null;
  return result as Readonly<Record<string, Json>>;
}

function isCount(value: Json | undefined): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** What is said to who asked when no answer to his question came. */
export function failure(answer: CallAnswer): Refusal {
  switch (answer.outcome) {
    case 'done':
      return refusal('METHOD_NOT_OFFERED', `the participant answered something else; ${upgrade}`);
    case 'ongoing':
      return refusal('ONGOING', 'the participant is not done with it');
    case 'refused':
    case 'unknown': {
      const { error } = answer;
      const code = codeIn(error);
      if (code === 'METHOD_NOT_OFFERED' && error.includes('has no operation')) {
        return refusal(code, `${error}: ${upgrade}`);
      }
      if (code !== null) return refusal(code, error);
      if (answer.outcome === 'refused') return refusal('REFUSED', error);
      return refusal(answer.asked === false ? 'METHOD_NOT_OFFERED' : 'UNKNOWN', error);
    }
    default:
      return answer satisfies never;
  }
}

const upgrade = 'that instance of the service is of an older version, so upgrade all of them';

/** The code that an error of ours begins with; what follows is for people. */
export function codeIn(error: string): ErrorCode | null {
  const [, code = ''] = /^([A-Z_]+): /.exec(error) ?? [];
  return isErrorCode(code) ? code : null;
}
