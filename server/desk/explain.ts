/**
 * Why a transaction is where it is, what Settle does next and when, and what an operator can do: in
 * plain words, made of what everybody sees of it. Pure. Guard: a remedy that is offered is one that
 * the coordinator would take as things stand.
 */
import {
  type BranchId,
  type BranchView,
  type Cause,
  type EpochMs,
  type Explanation,
  isDirtyRowError,
  type Participant,
  type Remedy,
  type TransactionView,
} from '../../client-sdk/protocol/index.ts';
import { dirtyRemedies } from './explain-dirty.ts';
import { span } from './span.ts';
import { becauseOf } from './timeline.ts';

type Story = Pick<Explanation, 'why' | 'next' | 'remedies'> & {
  readonly nextAtMs?: EpochMs | null;
};
/** A branch that owes an answer. */
type Owing = BranchView & { readonly operation: string };

/** Undecided for so long without a deadline in sight: its initiator may be gone. */
const abandonedAfterMs = 60_000;

/** What the view does not have. */
export interface Seen {
  /** When the view was made. */
  readonly nowMs: EpochMs;
  /** Steps of a saga after which it only goes forward. */
  readonly pivots: readonly BranchId[];
  /** How long the pauses between attempts become. */
  readonly retry: Pauses;
}

/** The first pause between attempts is no longer than this, and none is longer than that. */
export interface Pauses {
  readonly initialMs: number;
  readonly capMs: number;
}

/** Explains the view. */
export function explain(view: TransactionView, seen: Seen): Explanation {
  const { gid, phase } = view;
  const { nextAtMs = null, why, next, remedies } = storyOf(view, seen);
  return { gid, phase, why: why + neededText(view, why, seen.nowMs), next, nextAtMs, remedies };
}

/** Errors that begin alike are the same one. */
const comparedMax = 120;

/** Since when it needs a human, and for what unless `why` has said it. */
function neededText(view: TransactionView, why: string, nowMs: EpochMs): string {
  const { attention, branches, cause } = view;
  if (attention === null) return '';
  const { atMs, detail } = attention;
  const errors = branches.map(({ lastError }) => lastError ?? '').concat(cause?.detail ?? '');
  const isTold = errors.some((error) => {
    // A code at its front is put into words, and the end of a long one is cut off.
    const start = withoutCode(error).slice(0, comparedMax);
    return start !== '' && detail.includes(start) && why.includes(start);
  });
  return ` A human was asked for ${ago(nowMs - atMs)}${isTold ? '' : `: ${detail}`}.`;
}

/** Of a gid whose records this version cannot read; nothing is known of its phase but the index. */
export function explainUnreadable(
  gid: string,
  phase: Explanation['phase'],
  reason: string,
): Explanation {
  return {
    gid,
    phase,
    why: `Its records cannot be read: ${reason}. The phase shown is a guess from the index.`,
    next: 'Nothing: Settle leaves it alone, so that nothing is lost. Other transactions go on.',
    nextAtMs: null,
    remedies: [
      {
        text: 'See its records; if a newer version has written them, start that version again.',
        command: `settle tx show ${gid}`,
      },
      { text: 'Look for other damage in the log.', command: 'settle log verify' },
    ],
  };
}

function storyOf(view: TransactionView, seen: Seen): Story {
  const { nowMs } = seen;
  switch (view.phase) {
    case 'active':
      return view.mode === 'saga' ? runningSaga(view, seen) : undecided(view, nowMs);
    case 'committing':
    case 'rollingBack':
      return decided(view, seen);
    case 'committed':
    case 'rolledBack':
      return finished(view);
    default:
      view.phase satisfies never;
      throw new Error('a phase that is not known');
  }
}

function finished({ phase, cause }: TransactionView): Story {
  const what = phase === 'committed' ? 'committed' : 'rolled back';
  const why = cause === null ? '' : `, ${becauseOf(cause)}`;
  return {
    why: `It is ${what}${why}. Every branch has done its part.`,
    next: 'Nothing: it is over.',
    remedies: [],
  };
}

function undecided(view: TransactionView, nowMs: EpochMs): Story {
  const { gid, deadlineAtMs, startedAtMs, branches } = view;
  const count = branches.length === 1 ? '1 branch' : `${branches.length} branches`;
  const rollback = rollbackOf(gid);
  const begun = `Its initiator began it ${ago(nowMs - startedAtMs)} and has not decided yet (${count}).`;
  if (deadlineAtMs === null) {
    const isOld = nowMs - startedAtMs > abandonedAfterMs;
    const remark = isOld ? ' The initiator may have died: nothing else would end it.' : '';
    return {
      why: `${begun} It has no deadline.${remark}`,
      next: 'Nothing until the initiator decides.',
      remedies: [rollback],
    };
  }
  if (deadlineAtMs <= nowMs) {
    return {
      why: `${begun} Its deadline was ${ago(nowMs - deadlineAtMs)}: its initiator has given it up.`,
      next: 'It is decided to roll back now; that waits for the log alone.',
      nextAtMs: deadlineAtMs,
      remedies: [],
    };
  }
  return {
    why: begun,
    next: `If nobody decides by its deadline, in ${span(deadlineAtMs - nowMs)}, it is rolled back.`,
    nextAtMs: deadlineAtMs,
    remedies: [{ ...rollback, text: `${rollback.text} Only if its initiator is surely gone.` }],
  };
}

function rollbackOf(gid: string): Remedy {
  const command = `settle tx rollback ${gid} --reason "…"`;
  return { text: 'Decide now to roll it back.', command };
}

function runningSaga(view: TransactionView, seen: Seen): Story {
  const { gid, branches } = view;
  const owing = owingIn(view);
  const done = branches.filter(({ state }) => state === 'done').length;
  const progress = `${done} of ${branches.length} steps are done`;
  const story = owedStory(view, owing, seen);
  const failing = owing.filter(isFailing);
  const isPivotAsked = owing.some(({ branchId }) => seen.pivots.includes(branchId));
  const rule = isPivotAsked
    ? 'Its pivot is asked: only its own refusal rolls the saga back now, and once it is done the ' +
      'saga only goes forward.'
    : 'A step that refuses, or has no attempts left, makes it roll back, which undoes the done ones.';
  const remedies = [...story.remedies];
  if (failing.length > 0 && !isPivotAsked) {
    const text = 'Give it up: the steps that are done are undone.';
    remedies.push({ text, command: `settle tx rollback ${gid} --reason "…"` });
  }
  return { ...story, why: `The saga runs: ${progress}. ${story.why} ${rule}`, remedies };
}

function decided(view: TransactionView, seen: Seen): Story {
  const { mode, phase, cause, branches } = view;
  const owing = owingIn(view);
  const story = owedStory(view, owing, seen);
  const isCommit = phase === 'committing';
  const to = isCommit ? 'commit' : 'roll back';
  const because = cause === null ? '' : `, ${becauseOf(untold(cause, owing))}`;
  const abandoned = cause?.kind === 'deadline' ? ' Its initiator was too slow, or died.' : '';
  const rule = isCommit
    ? 'It can only go forward now: what is owed is asked until it is done.'
    : 'What is owed is asked until it is done: a decision never changes.';
  const pivot =
    mode === 'saga' && isCommit ? ' Its pivot is done, so the other steps must be done, too.' : '';
  const left = branches.filter(({ state }) => state === 'asked' || state === 'waiting').length;
  const are = left === 1 ? 'is' : 'are';
  const rest = left === 0 ? '' : ` ${left} of ${branches.length} ${are} not there yet.`;
  const why = `It is decided to ${to}${because}.${abandoned}${pivot}${rest} ${story.why} ${rule}`;
  return { ...story, why };
}

/** Without the error that is told anyhow: the compensation of a step may fail as the step has. */
function untold({ detail, ...cause }: Cause, owing: readonly Owing[]): Cause {
  if (detail === undefined) return cause;
  const told = owing.map(({ lastError }) => withoutCode(lastError ?? ''));
  return told.includes(withoutCode(detail)) ? cause : { ...cause, detail };
}

/** About the branches that owe an answer: the one that fails most speaks for all. */
function owedStory(view: TransactionView, owing: readonly Owing[], seen: Seen): Story {
  const failing = owing.filter(isFailing);
  const worst = failing.toSorted((a, b) => b.attempts - a.attempts)[0];
  if (worst === undefined) {
    const asked = owing.map((branch) => `${branch.operation} of ${nameOf(branch)}`);
    const names = asked.slice(0, 3).join(', ') + (asked.length > 3 ? ' …' : '');
    const isAsked = asked.length > 0;
    return {
      why: isAsked ? `Asked now: ${names}.` : 'Nothing is asked at the moment.',
      next: isAsked
        ? 'The answers are taken as they come; without one it is asked again.'
        : 'What comes next is asked as soon as its record is durable.',
      remedies: [],
    };
  }
  const times = owing.flatMap(({ nextAttemptAtMs }) => nextAttemptAtMs ?? []);
  const nextAtMs = times.length === 0 ? null : Math.min(...times);
  const others = failing.length === 1 ? '' : ` ${failing.length - 1} more fail as well.`;
  return {
    why: `${failureOf(worst)}${others}`,
    next:
      nextAtMs === null
        ? 'It is being asked again right now.'
        : `It is asked again ${whenIs(nextAtMs, seen.nowMs)}${sooner(worst)}, and ${after(worst, seen)}.`,
    nextAtMs,
    remedies: remediesOf(worst, view),
  };
}

/** Pauses double up to a limit, and each is any part of what it may be. */
function after({ attempts }: Owing, { retry: { initialMs, capMs } }: Seen): string {
  const isAtCap = initialMs * 2 ** attempts >= capMs;
  return isAtCap ? `at most ${span(capMs)} apart after that` : 'with longer pauses after that';
}

/** What would make it sooner. */
function sooner(branch: Owing): string {
  switch (troubleOf(branch)) {
    case 'absent':
      return ', or as soon as somebody offers it';
    case 'drained':
      return ', or as soon as it is undrained';
    default:
      return '';
  }
}

/** What went wrong with it, with the error at the end. */
function failureOf(branch: Owing): string {
  const { operation, attempts, lastError } = branch;
  const where = `${operation} of ${nameOf(branch)}`;
  const often = attempts === 1 ? 'once' : `${attempts} times`;
  const error = lastError ?? 'no reason given';
  switch (troubleOf(branch)) {
    case 'drained':
      return `${where} waits: an operator has drained ${serviceOf(branch.participant)}.`;
    case 'absent':
      return `${where} cannot be asked: ${withoutCode(error)}.`;
    case 'dirty':
      return `${where} meets a row that somebody has changed since: ${withoutCode(error)}.`;
    case 'notAllowed':
      return `${where} cannot be asked: ${withoutCode(error)}.`;
    case 'other':
      return `${where} has failed ${often}: ${error}.`;
    default:
      throw new Error('a trouble that is not known');
  }
}

function remediesOf(branch: Owing, view: TransactionView): Remedy[] {
  const { gid, attention, phase } = view;
  const retry: Remedy = {
    text: 'Ask again at once, when the cause is mended.',
    command: `settle tx retry ${gid} --reason "…"`,
  };
  const skip: Remedy = {
    text: `Say that ${branch.operation} of ${nameOf(branch)} is done, when you have seen to it by hand.`,
    command: `settle branch skip ${gid} ${branch.branchId} --reason "…"`,
  };
  const service = serviceOf(branch.participant);
  const resolve: Remedy = {
    text: 'End it as it is: all that it owes counts as done. The last resort.',
    command: `settle tx resolve ${gid} --reason "…"`,
  };
  const last = attention === null || phase === 'active' ? [] : [resolve];
  switch (troubleOf(branch)) {
    case 'drained': {
      const command = `settle participant undrain ${service} --reason "…"`;
      return [{ text: 'Let it be called again.', command }];
    }
    case 'absent': {
      const text = `Start ${service}, with that method. Settle asks as soon as it connects.`;
      const list = { text: 'See who is connected, with which methods.' };
      return [
        { text, command: null },
        { ...list, command: 'settle participant list' },
        skip,
        ...last,
      ];
    }
    case 'dirty':
      return dirtyRemedies(branch, view);
    case 'notAllowed':
      return [
        { text: 'Add the address to `allowCallbacks`, and start again.', command: null },
        skip,
        ...last,
      ];
    case 'other':
      return [
        {
          text: `Mend ${service ?? 'the participant'}; the error says where to look.`,
          command: null,
        },
        retry,
        skip,
        ...last,
      ];
    default:
      throw new Error('a trouble that is not known');
  }
}

type Trouble = 'drained' | 'absent' | 'dirty' | 'notAllowed' | 'other';

/** Errors that have a code begin with it. */
function troubleOf({ lastError }: Owing): Trouble {
  const error = lastError ?? '';
  if (error.startsWith('METHOD_NOT_OFFERED')) {
    return error.endsWith(' is drained') ? 'drained' : 'absent';
  }
  if (error.startsWith('TARGET_NOT_ALLOWED')) return 'notAllowed';
  return isDirtyRowError(error) ? 'dirty' : 'other';
}

function owingIn({ branches }: TransactionView): readonly Owing[] {
  return branches.flatMap((branch) => {
    const { operation } = branch;
    return operation === null ? [] : [{ ...branch, operation }];
  });
}

function isFailing({ attempts, lastError }: Owing): boolean {
  return attempts > 0 || lastError !== null;
}

function nameOf({ branchId, name, participant }: BranchView): string {
  const at =
    'url' in participant ? participant.url : `${participant.service} ${participant.method}`;
  return `${name === null ? `branch ${branchId}` : `step ${branchId} (${name})`} at ${at}`;
}

function serviceOf(participant: Participant): string | null {
  return 'service' in participant ? participant.service : null;
}

function withoutCode(error: string): string {
  return error.replace(/^[A-Z_]+: /, '');
}

function whenIs(atMs: EpochMs, nowMs: EpochMs): string {
  return atMs <= nowMs ? 'now' : `in ${span(atMs - nowMs)}`;
}

function ago(ms: number): string {
  return `${span(ms)} ago`;
}
