/**
 * What an entry of the audit is about, and what came of it, read from the JSON that it was written
 * with. Pure. Guards: what was refused, for some or for all, is never shown as done, and what nobody
 * knows is not shown as refused.
 */
import type { AuditView } from '../../../client-sdk/protocol/desk.ts';
import type { Json } from '../../../client-sdk/protocol/words.ts';
import { count, phaseWords } from '../wording.ts';

/** Whom it concerns. */
export interface About {
  readonly gids: readonly string[];
  readonly service: string | null;
  /** The gids were found by a query. */
  readonly isQuery: boolean;
}

/** Of any entry; what this version does not know is left out. */
export function about({ target }: Pick<AuditView, 'target'>): About {
  const { gid, gids, service, query } = fieldsOf(target);
  const all = Array.isArray(gids) ? gids : [gid];
  return {
    gids: all.filter((each) => typeof each === 'string'),
    service: typeof service === 'string' ? service : null,
    isQuery: query !== undefined,
  };
}

/** In words, and how it is coloured. */
export interface Outcome {
  readonly text: string;
  readonly tone: 'good' | 'warn' | 'bad';
}

/** Codes after which it may have been done all the same. */
const unsureCodes: readonly string[] = ['UNKNOWN', 'LOG_UNAVAILABLE', 'FENCED', 'INTERNAL'];

/** What came of it, by an entry `done`: of each transaction, or of the whole. */
export function outcomeOf({ action, after }: Pick<AuditView, 'action' | 'after'>): Outcome {
  const fields = fieldsOf(after);
  if (!action.startsWith('tx.')) {
    const { refused } = fields;
    return typeof refused === 'string' ? outcomeOfAll([refused]) : outcomeOfAll([null]);
  }
  const codes = Object.values(fields).map((became) => {
    return typeof became === 'string' && !(became in phaseWords) ? became : null;
  });
  return outcomeOfAll(codes);
}

/** By code; null: it was done. */
function outcomeOfAll(codes: readonly (string | null)[]): Outcome {
  const done = codes.filter((code) => code === null).length;
  const unsure = codes.filter((code) => code !== null && unsureCodes.includes(code)).length;
  const refused = codes.length - done - unsure;
  if (done === codes.length) return { text: 'done', tone: 'good' };
  const reason = codes.length === 1 ? ` (${codes[0]})` : '';
  if (refused === codes.length) return { text: `refused${reason}`, tone: 'bad' };
  if (unsure === codes.length) return { text: `not known${reason}`, tone: 'warn' };
  const parts = [
    [done, 'done'],
    [refused, 'refused'],
    [unsure, 'not known'],
  ] as const;
  const texts = parts.flatMap(([number, word]) => (number === 0 ? [] : `${count(number)} ${word}`));
  return { text: texts.join(', '), tone: refused > 0 ? 'bad' : 'warn' };
}

function fieldsOf(value: Json): Readonly<Record<string, Json>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  // The parse boundary: an object of JSON, of which each field is looked at before it is used.
  return isObject ? (value as Readonly<Record<string, Json>>) : {};
}
