/**
 * The records of one transaction in plain words, oldest first. Pure. Guards: nothing of a payload, an
 * input or a result is shown; a record that this version does not know is an entry, not an error, for
 * whoever asks may have come because of it.
 */
import type { BranchId, Cause, TimelineEntry } from '../../client-sdk/protocol/index.ts';
import type { BranchRecord, DoneOperation, LogRecord } from '../core/record.ts';
import type { LogRow } from '../log/log.ts';
import { span } from './span.ts';

/** What an operation was, once done. */
const past = {
  confirm: 'confirmed',
  cancel: 'cancelled',
  run: 'done',
  undo: 'undone',
  commit: 'committed',
  rollback: 'rolled back',
} as const satisfies Record<DoneOperation['operation'], string>;

type Said = Pick<TimelineEntry, 'branchId' | 'text' | 'operator'>;
type Names = ReadonlyMap<BranchId, string>;

/** One entry for each record, and for each branch of a record about several. Rows by seq. */
export function timelineOf(rows: readonly LogRow[]): readonly TimelineEntry[] {
  const names = new Map<BranchId, string>();
  return rows.flatMap((row): readonly TimelineEntry[] => {
    const { seq, epoch, atMs } = row;
    const records = recordsIn(row);
    if (records === null) {
      const text = 'a row that is no list of records: it cannot be read';
      return [{ seq, epoch, atMs, kind: 'unreadable', branchId: null, text, operator: null }];
    }
    return records.flatMap((record) => {
      if (record.kind === 'submitted') for (const s of record.steps) names.set(s.branchId, s.name);
      return saidOf(record, names).map((said) => {
        return { seq, epoch, atMs: record.atMs, kind: record.kind, ...said };
      });
    });
  });
}

/** Null when the row holds something else. */
function recordsIn({ records }: LogRow): readonly LogRecord[] | null {
  try {
    const parsed: unknown = JSON.parse(records);
    // The parse boundary: kinds that are not known are told apart below.
    return Array.isArray(parsed) ? (parsed as readonly LogRecord[]) : null;
  } catch {
    return null;
  }
}

function saidOf(record: LogRecord, names: Names): readonly Said[] {
  switch (record.kind) {
    case 'begun':
      return [whole(`begun${until(record)}${withBranches(record.branches)}`)];
    case 'submitted':
      return [whole(`submitted with ${counted(record.steps.length, 'step')}`)];
    case 'registered':
      return record.branches.map((branch) => {
        return about(branch.branchId, `registered branch ${branch.branchId}, ${whoIs(branch)}`);
      });
    case 'decided':
      return [decisionOf(record)];
    case 'done': {
      const { done, operator = null } = record;
      const by = operator === null ? '' : `, as ${operator.who} says`;
      return done.map(({ branchId, operation }) => {
        return { branchId, text: `${nameOf(branchId, names)} ${past[operation]}${by}`, operator };
      });
    }
    case 'attempted': {
      const { branchId, error } = record;
      return [about(branchId, `an attempt at ${nameOf(branchId, names)} failed: ${error}`)];
    }
    case 'attention': {
      const { reason, branchId, detail } = record.attention;
      return [about(branchId, `a human is needed (${reason}): ${detail}`)];
    }
    default:
      record satisfies never;
      return [whole('a record that this version does not know')];
  }
}

function decisionOf({ direction, cause }: Extract<LogRecord, { kind: 'decided' }>): Said {
  const to = direction === 'commit' ? 'commit' : 'roll back';
  const operator = cause.kind === 'operator' ? operatorIn(cause.detail ?? '') : null;
  // Who it was, and why, stands beside the text, and is not said twice.
  const because = operator === null ? becauseOf(cause) : becauseOf({ kind: 'operator' });
  const text = `decided to ${to}, ${because}`;
  return { branchId: cause.branchId ?? null, text, operator };
}

/** To be read after a comma. */
export function becauseOf({ kind, detail, branchId }: Cause): string {
  const more = detail === undefined || detail === '' ? '' : `: ${detail}`;
  switch (kind) {
    case 'initiator':
      return `asked by the initiator${more}`;
    case 'deadline':
      return 'for nobody had decided it by its deadline';
    case 'refused':
      return `for branch ${branchId ?? '?'} refused${more}`;
    case 'attempts':
      return `for branch ${branchId ?? '?'} had no attempts left${more}`;
    case 'completed':
      return 'for its steps were done';
    case 'operator':
      return `asked by an operator${more}`;
    default:
      kind satisfies never;
      return 'for a reason that this version does not know';
  }
}

/** `eve: ticket 7`, as the decision keeps it; names have no blanks. */
function operatorIn(detail: string): TimelineEntry['operator'] {
  const [, who, reason] = /^(\S+): (.*)$/s.exec(detail) ?? [];
  return who === undefined || reason === undefined ? null : { who, reason };
}

function whole(text: string): Said {
  return about(null, text);
}

function about(branchId: BranchId | null, text: string): Said {
  return { branchId, text, operator: null };
}

function nameOf(branchId: BranchId, names: Names): string {
  const name = names.get(branchId);
  return name === undefined ? `branch ${branchId}` : `step ${branchId} (${name})`;
}

function whoIs({ kind, participant }: BranchRecord): string {
  if ('url' in participant) return `${kind} of ${participant.url}`;
  return `${kind} of ${participant.service} ${participant.method}`;
}

function until({ atMs, deadlineAtMs }: Extract<LogRecord, { kind: 'begun' }>): string {
  return deadlineAtMs === null ? '' : `, to be decided within ${span(deadlineAtMs - atMs)}`;
}

function withBranches(branches: readonly unknown[]): string {
  return branches.length === 0 ? '' : `, with ${counted(branches.length, 'branch', 'branches')}`;
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Steps of a saga after which it only goes forward; none of anything else. */
export function pivotsIn(rows: readonly LogRow[]): readonly BranchId[] {
  const records = rows.slice(0, 1).flatMap((row) => recordsIn(row) ?? []);
  return records.flatMap((record) => {
    if (record.kind !== 'submitted') return [];
    return record.steps.filter(({ isPivot }) => isPivot).map(({ branchId }) => branchId);
  });
}
