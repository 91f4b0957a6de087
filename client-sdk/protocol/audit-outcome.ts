/**
 * What came of an operation, read from the JSON of its entry in the audit: told alike by CLI and console.
 * Pure. Guards: what was refused, for some or for all, is never shown as done, and what nobody knows is
 * not shown as refused.
 */
import type { AuditView } from './desk.ts';
import type { Json, Phase } from './words.ts';

/** In words, and whether that is good news. */
export interface AuditOutcome {
  readonly text: string;
  readonly tone: 'good' | 'warn' | 'bad';
}

const phases: Readonly<Record<Phase, true>> = {
  ...{ active: true, committing: true, committed: true },
  ...{ rollingBack: true, rolledBack: true },
};

/** Codes after which it may have been done all the same. */
const unsureCodes: readonly string[] = ['UNKNOWN', 'LOG_UNAVAILABLE', 'FENCED', 'INTERNAL'];

/** What came of it, by an entry `done`: of each transaction, or of the whole. */
export function auditOutcome({ action, after }: Pick<AuditView, 'action' | 'after'>): AuditOutcome {
  const fields = jsonFields(after);
  if (!action.startsWith('tx.')) {
    const { refused } = fields;
    return typeof refused === 'string' ? outcomeOfAll([refused]) : outcomeOfAll([null]);
  }
  const codes = Object.values(fields).map((became) => {
    return typeof became === 'string' && !(became in phases) ? became : null;
  });
  return outcomeOfAll(codes);
}

/** By code; null: it was done. */
function outcomeOfAll(codes: readonly (string | null)[]): AuditOutcome {
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
  const texts = parts.flatMap(([number, word]) => (number === 0 ? [] : `${number} ${word}`));
  return { text: texts.join(', '), tone: refused > 0 ? 'bad' : 'warn' };
}

/** Of what is no object: none. */
export function jsonFields(value: Json): Readonly<Record<string, Json>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  // The parse boundary: an object of JSON, of which each field is looked at before it is used.
  return isObject ? (value as Readonly<Record<string, Json>>) : {};
}
