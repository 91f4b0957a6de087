/** Bugs in the course of a term in `server/engine`: recovery, what is taken in, the end. */
import { lines, type Mutant } from './mutant.ts';

const loader = 'server/engine/loader.ts';
const codec = 'server/engine/codec.ts';
const registry = 'server/engine/registry.ts';
const engine = 'server/engine/engine.ts';
const intake = 'server/engine/intake.ts';
const attempt = 'server/engine/try.ts';

const ofRecovery: readonly Mutant[] = [
  {
    name: 'recovery-skips-a-page',
    idea: 'the second page of open transactions is passed over',
    file: loader,
    find: 'const gids = await log.openGids(afterGid, pageSize);',
    replace: lines(
      "const passed = afterGid === '' ? [] : await log.openGids(afterGid, pageSize);",
      '      const gids = await log.openGids(passed.at(-1) ?? afterGid, pageSize);',
    ),
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'recovery-ends-after-a-page',
    idea: 'only the first page of open transactions is taken up',
    file: loader,
    find: 'if (last === undefined || gids.length < pageSize) finished();',
    replace: 'if (last === undefined || gids.length <= pageSize) finished();',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'recovery-gives-up',
    idea: 'a page that cannot be read ends recovery',
    file: loader,
    find: 'clock.after(delayMs, () => run(afterGid));',
    replace: 'clock.after(delayMs, finished);',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'later-term-taken-up',
    idea: 'a coordinator takes up a saga that a later term has begun',
    file: loader,
    find: 'rows.some((row) => row.epoch > ports.epoch())',
    replace: 'rows.some((row) => row.epoch < 0 && row.epoch > ports.epoch())',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'lost-slot-read-once',
    idea: 'a state that had to be read again is given up when the log is away',
    file: loader,
    find: 'if (!wish.isVital) {',
    replace: 'if (!wish.isVital || wish.isVital) {',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'gap-in-the-log-not-seen',
    idea: 'a gid with a row missing in the middle is replayed all the same',
    file: codec,
    find: 'if (row.seq !== index + 1) {',
    replace: 'if (row.seq < index + 1) {',
    killedBy: ['engine'],
  },
  {
    name: 'unknown-record-skipped',
    idea: 'a record of a newer server is skipped as if it meant nothing',
    file: codec,
    find: 'for (const record of records) refuseUnknown(record);\n  return records;',
    replace: 'return records.filter(({ kind }) => Object.hasOwn(kinds, kind));',
    killedBy: ['engine'],
  },
  {
    name: 'recovered-beside-itself',
    idea: 'recovery opens a second mailbox for a gid that is in memory',
    file: registry,
    find: 'if (known !== undefined || ended.has(gid)) return false;',
    replace: 'if (ended.has(gid)) return false;',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'recovered-after-its-end',
    idea: 'recovery takes up what ended while its page was read',
    file: registry,
    find: 'if (known !== undefined || ended.has(gid)) return false;',
    replace: 'if (known !== undefined) return false;',
    killedBy: ['sim', 'engine'],
  },
  {
    name: 'forgotten-with-a-row-in-flight',
    idea: 'a finished transaction is forgotten before its last record is durable',
    file: registry,
    find: 'if (queuedRow !== null || flyingRow !== null) return false;',
    replace: 'if (queuedRow !== null) return false;',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'fenced-callers-not-answered',
    idea: 'who waits at a coordinator whose term ends is never answered',
    file: registry,
    find: "for (const task of tasks) refuseTask(task, 'FENCED', 'another coordinator took over');",
    replace: "if (tasks.length < 0) for (const task of tasks) refuseTask(task, 'FENCED', '');",
    killedBy: ['engine'],
  },
];

const ofTerms: readonly Mutant[] = [
  {
    name: 'timer-not-restored',
    idea: 'the deadline of a transaction that recovery took up never fires',
    file: engine,
    find: '      resumed,',
    replace: '      resumed: calls.sync,',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'calls-not-restored',
    idea: 'what a transaction owes is not asked again after recovery',
    file: engine,
    find: '      resumed,',
    replace: '      resumed: notify,',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'deadline-starts-anew',
    idea: 'recovery gives a transaction its whole time again',
    file: engine,
    find: 'Math.max(0, tx.deadlineAtMs - clock.nowMs())',
    replace: 'Math.max(0, tx.deadlineAtMs - tx.startedAtMs)',
    killedBy: ['engine'],
  },
  {
    name: 'deadline-timer-left',
    idea: 'the timer of the deadline stays after the decision',
    file: engine,
    find: '      timers.cancel(mailbox.deadline);',
    replace: '',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'fenced-coordinator-goes-on-calling',
    idea: 'a coordinator whose term is over repeats its calls',
    file: engine,
    find: lines('    calls.rest();', '    timers.clear();', '    registry.abandon();'),
    replace: '    registry.abandon();',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'fenced-coordinator-takes-results',
    idea: 'an answer that comes after the term has ended changes state',
    file: engine,
    find: '    if (isStopped()) return;\n    const event',
    replace: '    const event',
    killedBy: ['engine', 'sim'],
  },
  {
    name: 'term-not-ended-at-stop',
    idea: 'a coordinator that stops leaves its term running',
    file: engine,
    find: 'log.release(life.term).then(resolve, resolve);',
    replace: 'resolve();',
    killedBy: ['engine'],
  },
  {
    name: 'stop-does-not-drain',
    idea: 'a coordinator that stops drops the calls that are under way',
    file: engine,
    find: 'const isDrained = (life.commit?.pendingRows() ?? 0) === 0 && calls.inFlight() === 0;',
    replace: 'const isDrained = (life.commit?.pendingRows() ?? 0) >= 0;',
    killedBy: ['engine'],
  },
  {
    name: 'hash-without-branches',
    idea: 'the content of a begin leaves out its branches',
    file: intake,
    find: "['transaction', name, timeoutMs, labels, branches]",
    replace: "['transaction', name, timeoutMs, labels]",
    killedBy: ['engine'],
  },
  {
    name: 'no-default-deadline',
    idea: 'a transaction that names no deadline has none',
    file: intake,
    find: 'request.timeoutMs ?? options.transactionTimeoutMs;',
    replace: 'request.timeoutMs ?? options.transactionTimeoutMs * 1e6;',
    killedBy: ['engine'],
  },
  {
    name: 'try-after-the-decision',
    idea: 'a try is passed on after the rollback was decided',
    file: attempt,
    find: "if (tx.phase !== 'active') {",
    replace: "if (tx.phase === 'rolledBack') {",
    killedBy: ['engine'],
  },
  {
    name: 'lost-try-taken-for-refused',
    idea: 'a try that timed out is told as refused for good',
    file: attempt,
    find: "'METHOD_NOT_OFFERED' : 'UNKNOWN'",
    replace: "'METHOD_NOT_OFFERED' : 'REFUSED'",
    killedBy: ['engine'],
  },
  {
    name: 'overload-not-refused',
    idea: 'any number of transactions may be open in memory',
    file: 'server/engine/admission.ts',
    find: 'mailboxes.size >= options.openTransactionsMax',
    replace: 'mailboxes.size < 0',
    killedBy: ['engine'],
  },
  {
    name: 'gid-of-the-audit-let-in',
    idea: 'a transaction may take the place in the log where the audit goes on',
    file: 'server/engine/admission.ts',
    find: "fault === null ? null : refusal('INVALID_REQUEST', fault)",
    replace: "fault !== '' ? null : refusal('INVALID_REQUEST', fault)",
    killedBy: ['engine'],
  },
];

/** Bugs of a term. */
export const termMutants: readonly Mutant[] = [...ofRecovery, ...ofTerms];
