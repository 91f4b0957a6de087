/** How records, replies, changes and effects read in a trace. Times are shown from the story's start. */
import type { Attention, Cause, Participant } from '../../client-sdk/protocol/index.ts';
import type { Effect } from '../../server/core/effect.ts';
import type { BranchRecord, LogRecord, StepRecord } from '../../server/core/record.ts';
import type { Step } from '../../server/core/step.ts';
import type { Transaction } from '../../server/core/transaction.ts';
import { defaultService } from './trace-words.ts';
import { owed, type World } from './world.ts';

/** Longer lists show their first two and their last. */
const listMax = 8;

/** What one event has done, line by line; `nothing` when it did nothing. */
export function printStep(
  world: World,
  before: Transaction | null,
  result: Step,
): readonly string[] {
  const { record, urgency, reply } = result;
  const lines = record === null ? [] : [`${record.kind}, ${urgency}: ${fields(world, record)}`];
  if (reply.kind === 'accepted')
    lines.push(`reply: ${['accepted', ...shorten(reply.branchIds)].join(' ')}`);
  if (reply.kind === 'refused') lines.push(`reply: refused ${reply.code}: ${reply.detail}`);
  lines.push(...changes(before, result.next));
  lines.push(...effectChanges(before, result.next));
  return lines.length === 0 ? ['nothing'] : lines;
}

/** Where a transaction stands: after a crash nothing is taken for granted. */
export function printState(tx: Transaction | null): readonly string[] {
  if (tx === null) return ['nothing was begun'];
  return [
    `phase: ${tx.phase}`,
    ...(tx.attention === null ? [] : [`attention: ${attentionText(tx.attention)}`]),
    ...printOwed(tx),
  ];
}

/** Everything that is owed. */
export function printOwed(tx: Transaction | null): readonly string[] {
  const effects = owed(tx);
  if (effects.length === 0) return ['owes nothing'];
  return shorten(effects.map((effect) => `owes ${effectText(tx, effect)}`));
}

function fields(world: World, record: LogRecord): string {
  const since = (atMs: number) => `+${(atMs - world.startMs) / 1000}s`;
  switch (record.kind) {
    case 'begun':
    case 'submitted': {
      const parts =
        record.kind === 'begun' ? record.branches.map(branchText) : record.steps.map(stepText);
      const deadline =
        record.deadlineAtMs === null ? 'no deadline' : `deadline ${since(record.deadlineAtMs)}`;
      return `${shorten(parts).join(', ') || 'no branches'}; ${deadline}`;
    }
    case 'registered':
      return `${record.request}: ${shorten(record.branches.map(branchText)).join(', ')}`;
    case 'decided': {
      const undo = record.undo === undefined ? '' : `; undo ${shorten(record.undo).join(' ')}`;
      return `${record.direction} by ${causeText(record.cause)}${undo}`;
    }
    case 'done': {
      const { operator } = record;
      const says = operator === undefined ? '' : `${operator.who} says ${quote(operator.reason)}: `;
      const keys = record.done.map(({ branchId, operation, result }) => {
        const key = `${branchId}:${operation}`;
        return result === undefined ? key : `${key} = ${JSON.stringify(result)}`;
      });
      return `${says}${shorten(keys).join(', ')}`;
    }
    case 'attempted':
      return `${record.branchId} ${quote(record.error)}`;
    case 'attention':
      return attentionText(record.attention);
    default:
      return record satisfies never;
  }
}

function changes(before: Transaction | null, next: Transaction | null): string[] {
  if (next === null) return [];
  const lines: string[] = [];
  if (before?.phase !== next.phase) {
    lines.push(`phase: ${before === null ? '' : `${before.phase} -> `}${next.phase}`);
  }
  if (next.cause !== null && before?.cause !== next.cause)
    lines.push(`cause: ${causeText(next.cause)}`);
  if (before !== null && before.attention !== next.attention) {
    const { attention } = next;
    lines.push(`attention: ${attention === null ? 'cleared' : attentionText(attention)}`);
  }
  return lines;
}

function effectChanges(before: Transaction | null, next: Transaction | null): readonly string[] {
  const old = owed(before);
  const now = owed(next);
  const keysBefore = new Set(old.map((effect) => effect.key));
  const keysNow = new Set(now.map((effect) => effect.key));
  const ceased = old.filter((effect) => !keysNow.has(effect.key)).map(({ key }) => `- ${key}`);
  const added = now
    .filter((effect) => !keysBefore.has(effect.key))
    .map((effect) => `+ ${effectText(next, effect)}`);
  return [...shorten(ceased), ...shorten(added)];
}

function effectText(tx: Transaction | null, effect: Effect): string {
  const { key, branchId, participant, payload, results, operation } = effect;
  const name = tx?.mode === 'saga' ? tx.steps[branchId - 1]?.name : undefined;
  const parts = [key, name === undefined ? where(participant) : stepName(name, participant)];
  if (payload !== null) parts.push(JSON.stringify(payload));
  const known = Object.keys(results ?? {}).length > 0;
  if (known) parts.push(`after ${JSON.stringify(results)}`);
  if (effect.result !== undefined) parts.push(`of ${JSON.stringify(effect.result)}`);
  else if (operation === 'undo') parts.push('of unknown');
  return parts.join(' ');
}

function branchText({ branchId, participant }: BranchRecord): string {
  return `${branchId} ${where(participant)}`;
}

function stepText({
  branchId,
  name,
  participant,
  after,
  isPivot,
  attemptsMax,
}: StepRecord): string {
  const order = after.length === 0 ? '' : ` after ${shorten(after).join('+')}`;
  const attempts = attemptsMax === 3 ? '' : ` attempts ${attemptsMax}`;
  return `${branchId} ${stepName(name, participant)}${order}${attempts}${isPivot ? ' pivot' : ''}`;
}

function stepName(name: string, participant: Participant): string {
  if ('url' in participant) return `${name}@${participant.url}`;
  return participant.service === defaultService ? name : `${name}@${participant.service}`;
}

function where(participant: Participant): string {
  return 'url' in participant ? participant.url : `${participant.method}@${participant.service}`;
}

function causeText({ kind, branchId, detail }: Cause): string {
  const branch = branchId === undefined ? '' : ` ${branchId}`;
  return `${kind}${branch}${detail === undefined ? '' : ` ${quote(detail)}`}`;
}

function attentionText({ reason, branchId, detail }: Attention): string {
  return `${reason} ${branchId ?? '-'} ${quote(detail)}`;
}

function quote(text: string): string {
  if (text.length <= 100) return JSON.stringify(text);
  return `${JSON.stringify(`${text.slice(0, 40)}…`)} (${text.length} characters)`;
}

function shorten<T>(items: readonly T[]): string[] {
  const texts = items.map(String);
  if (texts.length <= listMax) return texts;
  return [...texts.slice(0, 2), `… ${texts.length} in all …`, ...texts.slice(-1)];
}
