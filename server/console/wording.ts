/** Times, spans, counts and words as people read them. Pure; the same words as the command line. */
import { percentileMsMax } from '../../client-sdk/protocol/desk.ts';
import type { BranchView, TransactionSummary } from '../../client-sdk/protocol/requests.ts';
import type { Cause, Participant, Phase } from '../../client-sdk/protocol/words.ts';

/** Where a transaction is, in words. */
export const phaseWords: Readonly<Record<Phase, string>> = {
  active: 'active',
  committing: 'committing',
  committed: 'committed',
  rollingBack: 'rolling back',
  rolledBack: 'rolled back',
};

/** True when nothing is left to do. */
export function isFinished(phase: Phase): boolean {
  return phase === 'committed' || phase === 'rolledBack';
}

/** `rollingBack` as `rolling back`. */
export function spaced(word: string): string {
  return word.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
}

/** `14:03:07.120`, with the day unless it is today. */
export function clock(atMs: number, withMs = false): string {
  const at = new Date(atMs);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  const fraction = withMs ? `.${String(at.getMilliseconds()).padStart(3, '0')}` : '';
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? time + fraction : `${day(at)} ${time}${fraction}`;
}

/** `14:03:07` of today, `11-21 14:03` of another day of this year, `2025-11-21` of another one. */
export function shortClock(atMs: number): string {
  const at = new Date(atMs);
  const now = new Date();
  if (at.toDateString() === now.toDateString()) return clock(atMs);
  if (at.getFullYear() !== now.getFullYear()) return day(at);
  return `${day(at).slice(5)} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** All of it, with the offset from UTC, for a tooltip. */
export function fullTime(atMs: number): string {
  return `${new Date(atMs).toString()} (${atMs})`;
}

function day(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

/** `340 ms`, `4.2 s`, `3 min 5 s`, `2 h 4 min`, `3 d 1 h`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return pair(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, 'h', minutes % 60, 'min');
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** Of what still goes on, in the words of explanations: `12 s`, `19 min`, `3 h`, `2 days`. */
export function roughSpan(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

/** A percentile: what is above all that is told apart is said to be more. */
export function percentileText(ms: number): string {
  return ms >= percentileMsMax ? `> ${span(percentileMsMax)}` : span(ms);
}

function pair(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;
}

/** `1,234`. */
export function count(number: number): string {
  return number.toLocaleString('en-US');
}

/** `1 transaction`, `4 transactions`. */
export function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** `bank/debit`, or the address. */
export function participantText(participant: Participant): string {
  return 'url' in participant ? participant.url : `${participant.service}/${participant.method}`;
}

/** Why it was decided, in words. */
export function causeText(cause: Cause | null): string {
  if (cause === null) return '';
  const who = {
    initiator: 'the initiator',
    deadline: 'the deadline has passed',
    refused: 'a participant refused',
    attempts: 'all attempts were used up',
    completed: 'every step was done',
    operator: 'an operator',
  }[cause.kind];
  const branch = cause.branchId === undefined ? '' : ` (branch ${cause.branchId})`;
  return cause.detail === undefined ? who + branch : `${who}${branch}: ${cause.detail}`;
}

/** What a branch is doing, for its badge. */
export function branchWord({ state, operation }: BranchView): string {
  if (operation !== null) return `${spaced(operation)} owed`;
  return spaced(state);
}

/** A line of a list. */
export type Listed = TransactionSummary;

/** What is worth reading of it, in one line: what went wrong, and not who asked for what. */
export function troubleText({ attention, lastError = null, cause }: Listed): string {
  if (lastError !== null) return lastError;
  if (attention !== null) return attention.detail;
  if (cause === null) return '';
  const { kind, detail, branchId } = cause;
  if (detail === undefined)
    return kind === 'initiator' || kind === 'completed' ? '' : causeText(cause);
  return branchId === undefined ? detail : `${detail} (branch ${branchId})`;
}

/**
 * What to say over a refusal of something that was to be changed. Without an answer of the coordinator
 * nobody knows: the line may have broken behind the request.
 */
export function undoneWords(
  { status, code }: { readonly status: number; readonly code: string },
  nothing: string,
): string {
  const isAnswered = status !== 0 && code !== 'UNKNOWN';
  return isAnswered ? nothing : 'Nobody knows whether it was done; look at the audit';
}
