/** Bugs on the side of those who take part: the barrier, and what an initiator says of the outcome. */
import { lines, type Mutant } from './mutant.ts';

const barrier = 'client-sdk/participant/barrier.ts';
const method = 'client-sdk/participant/method.ts';

const ofBarrier: readonly Mutant[] = [
  {
    name: 'no-empty-rollback-guard',
    idea: 'a cancel without a try runs the business code',
    file: barrier,
    find: "if (await local.insert(keyOf(call, forward), 'blocked')) return done(null);",
    replace: lines(
      "if (await local.insert(keyOf(call, forward), 'blocked')) {",
      '    await work(local.trx, null);',
      '    return done(null);',
      '  }',
    ),
    killedBy: ['barrier'],
  },
  {
    name: 'no-hanging-guard',
    idea: 'an empty cancel leaves nothing behind, so the late try takes effect',
    file: barrier,
    find: "if (await local.insert(keyOf(call, forward), 'blocked')) return done(null);",
    replace: lines(
      'const seen = await readBranch(local, call);',
      '  if (!seen.some((row) => row.operation === forward)) return done(null);',
    ),
    killedBy: ['barrier'],
  },
  {
    name: 'blocked-try-runs',
    idea: 'a try that finds itself cancelled runs all the same',
    file: barrier,
    find: "if (row.state === 'blocked') {",
    replace: lines(
      "if (row.state === 'blocked') await work(local.trx, undefined);",
      "    if (row.state === 'gone') {",
    ),
    killedBy: ['barrier'],
  },
  {
    name: 'no-dedupe',
    idea: 'a try or run that is asked twice takes effect twice',
    file: barrier,
    find: 'return done(storedResult(row));',
    replace: 'return done(encodeResult(await work(local.trx, undefined)).value);',
    killedBy: ['barrier'],
  },
  {
    name: 'no-dedupe-of-confirm',
    idea: 'a confirm that is asked twice takes effect twice',
    file: barrier,
    find: lines(
      "  const own = keyOf(call, 'confirm');",
      "  if (!(await local.insert(own, 'done'))) return done(null);",
    ),
    replace: lines("  const own = keyOf(call, 'confirm');", "  await local.insert(own, 'done');"),
    killedBy: ['barrier'],
  },
  {
    name: 'no-dedupe-of-cancel',
    idea: 'a cancel or undo that is asked twice takes effect twice',
    file: barrier,
    find: lines(
      '  const own = keyOf(call, call.operation);',
      "  if (!(await local.insert(own, 'done'))) return done(null);",
      '  await work(local.trx, storedResult(forwardRow));',
    ),
    replace: lines(
      '  const own = keyOf(call, call.operation);',
      "  await local.insert(own, 'done');",
      '  await work(local.trx, storedResult(forwardRow));',
    ),
    killedBy: ['barrier'],
  },
  {
    name: 'barrier-result-not-stored',
    idea: 'the result of a try is not kept, so a duplicate answers something else',
    file: barrier,
    find: '  await local.finish(own, text);',
    replace: '  await local.finish(own, text === null ? text : null);',
    killedBy: ['barrier'],
  },
  {
    name: 'confirm-without-try',
    idea: 'a confirm in a database that never saw its try is accepted',
    file: barrier,
    find: "if (forward?.state !== 'done') {",
    replace: "if (forward?.state === 'blocked') {",
    killedBy: ['barrier'],
  },
  {
    name: 'confirm-after-cancel',
    idea: 'a confirm after a cancel, or a cancel after a confirm, takes effect',
    file: barrier,
    find: 'if (rows.some((row) => row.operation === opposite)) {',
    replace: 'if (rows.length > 3 && rows.some((row) => row.operation === opposite)) {',
    killedBy: ['barrier'],
  },
  {
    name: 'guard-row-last',
    idea: 'the guard row of a try is written after the business code',
    file: barrier,
    find: lines(
      "  if (!(await local.insert(own, 'done'))) {",
      '    const row = rowOf(await readBranch(local, call), call.operation);',
    ),
    replace: lines(
      '  if ((await readBranch(local, call)).length === 0) {',
      '    const early = encodeResult(await work(local.trx, undefined));',
      "    await local.insert(own, 'done');",
      '    await local.finish(own, early.text);',
      '    return done(early.value);',
      '  }',
      "  if (!(await local.insert(own, 'done'))) {",
      '    const row = rowOf(await readBranch(local, call), call.operation);',
    ),
    killedBy: ['barrier'],
  },
  {
    name: 'guard-row-outside',
    idea: 'the guard row stays when the business code has thrown',
    file: barrier,
    find: '  const { value, text } = encodeResult(await work(local.trx, undefined));',
    replace: lines(
      '  let made: unknown = null;',
      '  try {',
      '    made = await work(local.trx, undefined);',
      '  } catch {',
      '    made = null;',
      '  }',
      '  const { value, text } = encodeResult(made);',
    ),
    killedBy: ['barrier'],
  },
  {
    name: 'throw-taken-for-refused',
    idea: 'an unexpected throw of the business code counts as refused for good',
    file: 'client-sdk/participant/answer.ts',
    find: "const answer = { outcome: 'unknown', error: messageOf(error) } as const;",
    replace: "const answer = { outcome: 'refused', error: messageOf(error) } as const;",
    killedBy: ['host', 'barrier'],
  },
  {
    name: 'large-result-after-commit',
    idea: 'a result that is too large is found out when the answer is sent, not before the commit',
    file: 'client-sdk/participant/answer.ts',
    find: 'if (bytes > limits.payloadBytesMax) {',
    replace: 'if (bytes > limits.payloadBytesMax * 1_000) {',
    killedBy: ['barrier'],
  },
  {
    name: 'taken-row-overlooked',
    idea: 'the insert of a guard row that is taken counts as done',
    file: 'client-sdk/participant/databases/kysely.ts',
    find: 'return numInsertedOrUpdatedRows === 1n;',
    replace: 'return numInsertedOrUpdatedRows !== undefined;',
    killedBy: ['barrier'],
  },
  {
    name: 'schema-stops-phase-two',
    idea: 'a schema that has become stricter refuses the confirm of what was tried',
    file: method,
    find: 'if (call.operation === forwardOf(call.operation)) {',
    replace: 'if (call.operation !== undefined) {',
    killedBy: ['host'],
  },
];

const ofInitiator: readonly Mutant[] = [
  {
    name: 'lost-commit-taken-for-rollback',
    idea: 'a commit whose answer was lost is told as rolled back',
    file: 'client-sdk/decision.ts',
    find: "return new SettleError('UNKNOWN', detail, { gid, cause: error });",
    replace: "return new SettleError('ROLLED_BACK', detail, { gid, cause: error });",
    killedBy: ['sdk'],
  },
  {
    name: 'failed-branch-committed',
    idea: 'a branch whose error was caught does not stop the commit',
    file: 'client-sdk/transaction.ts',
    find: 'if (global.branches.doomed !== null) throw global.branches.doomed.error;',
    replace: '',
    killedBy: ['sdk'],
  },
  {
    name: 'commit-beside-running-branches',
    idea: 'the commit is sent while calls that nobody awaited are under way',
    file: 'client-sdk/transaction.ts',
    find: '  await global.branches.settled();',
    replace: '',
    killedBy: ['sdk'],
  },
  {
    name: 'try-after-a-late-begin',
    idea: 'a try runs though the deadline was faster than the begin',
    file: 'client-sdk/branch-caller.ts',
    find: "if (answer.phase !== 'active') throw await askWhyRolledBack(client, gid);",
    replace: '',
    killedBy: ['sdk'],
  },
];

/** Bugs of participants and initiators. */
export const participantMutants: readonly Mutant[] = [...ofBarrier, ...ofInitiator];
