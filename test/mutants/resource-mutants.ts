// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is patched is source code.
/**
 * Bugs of plain SQL in global transactions: what a resource locks, remembers, commits and writes back.
 * What each database makes of a statement is not here; its corpus is tested case by case.
 */
import { lines, type Mutant } from './mutant.ts';

const locals = 'client-sdk/resource/locals.ts';
const local = 'client-sdk/resource/local-transaction.ts';
const barrier = 'client-sdk/resource/postgres/barrier.ts';
const endings = 'client-sdk/resource/postgres/endings.ts';
const undoInsert = 'client-sdk/resource/postgres/undo-insert.ts';
const write = 'client-sdk/resource/postgres/write.ts';
const undoStore = 'client-sdk/resource/postgres/undo-store.ts';
const restore = 'client-sdk/resource/postgres/restore.ts';
const lookUp = "if ((await source.settlePhaseOne(branch)) === 'committed') return committed;";

const ofPhaseOne: readonly Mutant[] = [
  {
    name: 'undo-rows-not-written',
    idea: 'a branch looks at the locks of others, and commits without undo rows of its own',
    file: local,
    find: 'dialect.undo.insert(this.#line.waiting, branch, this.#journal.steps)',
    replace: 'dialect.undo.holders(this.#line.waiting, branch.gid, this.#journal.steps)',
    killedBy: ['at-postgres'],
  },
  {
    name: 'registered-after-the-local-commit',
    idea: 'the coordinator hears of a branch when it has committed locally',
    file: locals,
    find: lines(
      'await all(writers, (entry) =>',
      '      this.#asBranch(this.#register(entry.source), async (branch) => {',
      '        if (isFree && (await commitAtOnce(entry, branch))) return;',
      '        await entry.local.insertUndo(branch);',
      '        branches.set(entry, branch);',
      '      }),',
      '    );',
    ),
    replace: lines(
      'await all(writers, async (entry) => {',
      '      const early = { gid: this.#gid, branchId: 1 };',
      '      await entry.local.insertUndo(early);',
      '      await entry.local.commitPhaseOne(early);',
      '      await this.#asBranch(this.#register(entry.source), async () => undefined);',
      '    });',
    ),
    killedBy: ['at-commits'],
  },
  {
    name: 'eager-commit-is-no-branch',
    idea: 'what is committed with the own commit of the user has no undo rows',
    file: local,
    find: 'else if (this.hasSteps) await eager.asBranch(',
    replace: 'else if (!dialect) await eager.asBranch(',
    killedBy: ['at-eager'],
  },
  {
    name: 'eager-failure-is-kept',
    idea: 'what a failed statement had done is committed with the own commit of the user',
    file: local,
    find: "if (this.#journal.failure !== null) await connection.query('rollback');",
    replace: 'if (!dialect) return;',
    killedBy: ['at-eager'],
  },
  {
    name: 'free-though-somebody-holds-it',
    idea: 'a row that was looked at counts as free, whatever the look has found',
    file: write,
    find: 'rows.every((row) => row[imageColumns.held] === false)',
    replace: 'rows.every((row) => row[imageColumns.held] !== null)',
    killedBy: ['at-free-rows'],
  },
  {
    name: 'look-as-old-as-its-statement',
    idea: 'what was committed while a statement waited for its row is not seen by its look',
    file: 'client-sdk/participant/undo-schema.ts',
    find: 'language plpgsql volatile strict',
    replace: 'language plpgsql stable strict',
    killedBy: ['at-free-rows'],
  },
  {
    name: 'looked-at-another-row',
    idea: 'a look at the spelling of the user counts for the row, whatever its key is',
    file: write,
    find: 'steps.every((step) => step.key === key)',
    replace: 'steps.every((step) => step.table !== key)',
    killedBy: ['at-free-rows'],
  },
  {
    name: 'committed-while-another-waits',
    idea: 'a branch commits at once though the row of another branch is held by somebody',
    file: locals,
    find: 'writers.every(({ local }) => local.isFree)',
    replace: 'writers.some(({ local }) => local.isFree)',
    killedBy: ['at-free-rows'],
  },
  {
    name: 'at-once-without-a-barrier-row',
    idea: 'a local commit in one flight leaves no row behind, so a rollback takes it for one that never was',
    file: endings,
    find: 'text: `with phase_one as (${phaseOneRow}) ${text}`, values',
    replace: 'text, values',
    killedBy: ['at-free-rows'],
  },
  {
    name: 'no-barrier-row-of-phase-one',
    idea: 'a local commit leaves no row behind, so a rollback takes it for one that never was',
    file: barrier,
    find: '${phaseOneText(branch)};commit',
    replace: "${''};commit",
    killedBy: ['at-postgres'],
  },
  {
    name: 'committed-taken-for-blocked',
    idea: 'a rollback finds the row of a local commit and believes that it is its own',
    file: barrier,
    find: "return row['state'] === 'blocked' ? 'blocked' : 'committed';",
    replace: "return 'blocked';",
    killedBy: ['at-postgres'],
  },
  {
    name: 'blocked-taken-for-committed',
    idea: 'a local commit that can never happen any more is said to have happened',
    file: barrier,
    find: "if (count === 1) return 'blocked';",
    replace: "if (count === 1) return 'committed';",
    killedBy: ['at-commits'],
  },
  {
    name: 'unknown-local-commit-taken-for-done',
    idea: 'a local commit whose answer was lost counts as done without a look',
    file: locals,
    find: lookUp,
    replace: 'if (!(error instanceof SettleError)) return committed;',
    killedBy: ['at-commits'],
  },
  {
    name: 'unknown-local-commit-taken-for-failed',
    idea: 'a local commit whose answer was lost counts as failed, whatever the look says',
    file: locals,
    find: lookUp,
    replace: 'await source.settlePhaseOne(branch);',
    killedBy: ['at-commits'],
  },
  {
    name: 'each-of-two-resources-alone',
    idea: 'two databases commit each by itself, as if there were one',
    file: locals,
    find: 'if (mayBeAlone && writers.length === 1) {',
    replace: lines(
      'if (mayBeAlone) {',
      '      await all(writers.slice(1), (one) => commitAlone(one.local, this.#gid));',
    ),
    killedBy: ['at-commits'],
  },
  {
    name: 'abort-beats-a-lone-commit',
    idea: 'a signal that aborts while one database commits alone is told as a rollback',
    file: 'client-sdk/transaction.ts',
    find: 'if (global.loneCommit === null) {',
    replace: 'if (global !== null) {',
    killedBy: ['at-lone-commit'],
  },
  {
    name: 'joined-resource-alone',
    idea: 'who joined a transaction commits its only database for good',
    file: locals,
    find: 'if (mayBeAlone && writers.length === 1)',
    replace: 'if (writers.length === 1)',
    killedBy: ['at-postgres'],
  },
];

const ofScopes: readonly Mutant[] = [
  {
    name: 'statement-in-flight-not-waited-for',
    idea: 'a local transaction ends between the two halves of a statement',
    file: local,
    find: lines('await turns.idle();', '    const isHeld = turns.isHeld;'),
    replace: 'const isHeld = turns.isHeld;',
    killedBy: ['at-scope-end'],
  },
  {
    name: 'failed-statement-forgotten',
    idea: 'a statement that was refused after it had run is committed',
    file: 'client-sdk/resource/run-statement.ts',
    find: 'if (hasRun) journal.fail(error);',
    replace: 'void hasRun;',
    killedBy: ['at-scope-end'],
  },
  {
    name: 'savepoint-keeps-its-steps',
    idea: 'rows are undone that a rollback to a savepoint had left alone',
    file: 'client-sdk/resource/journal.ts',
    find: 'this.#steps.length = savepoint.steps;',
    replace: 'void savepoint.steps;',
    killedBy: ['at-scope-end'],
  },
  {
    name: 'hazards-ignored',
    idea: 'triggers, cascades and rules change rows that have no image',
    file: 'client-sdk/resource/steps.ts',
    find: "if (write.change === 'lock') return;",
    replace: 'if (write.change !== undefined) return;',
    killedBy: ['at-holes'],
  },
];

const ofLocks: readonly Mutant[] = [
  {
    name: 'row-key-not-quoted',
    idea: 'two keys whose parts join to the same text are one row',
    file: 'client-sdk/resource/row-key.ts',
    find: 'const key = JSON.stringify(texts);',
    replace: "const key = texts.join(',');",
    killedBy: ['row-key'],
  },
  {
    name: 'lone-commit-past-the-locks',
    idea: 'a database that commits by itself does not look at the locks of others',
    file: local,
    find: 'commitUnlessHeld(connection, gid, rows)',
    replace: 'commitUnlessHeld(connection, gid, rows.slice(rows.length))',
    killedBy: ['at-holes'],
  },
  {
    name: 'lone-commit-past-a-locked-row',
    idea: 'a row of another gid that the look finds does not stop the commit behind it',
    file: endings,
    find: "' || gid)::integer from",
    replace: "' || gid) from",
    killedBy: ['at-undo'],
  },
  {
    name: 'end-goes-on-when-given-up',
    idea: 'an end that waited for a lock goes on sending when the connection is somebody else’s',
    file: local,
    find: 'if (this.#isGivenUp || this.#isOver) throw overError();',
    replace: '',
    killedBy: ['at-given-up'],
  },
  {
    name: 'holder-that-rolls-back-taken-for-committed',
    idea: 'a row is taken over, undo row and all, from one whose rollback is still to come',
    file: 'client-sdk/resource/resource.ts',
    find: "if (phase === 'committing' || phase === 'committed') return;",
    replace: "if (phase !== 'active' && phase !== null) return;",
    killedBy: ['at-holes'],
  },
  {
    name: 'own-undo-row-overwritten',
    idea: 'a second branch of a gid puts its image in the place of the first',
    file: undoInsert,
    find: 'on conflict do nothing`',
    replace: lines(
      'on conflict (table_name, row_key, step) do update',
      '        set before_image = excluded.before_image where settle_undo.gid = excluded.gid`',
    ),
    killedBy: ['at-undo'],
  },
  {
    name: 'clear-takes-all-gids',
    idea: 'a commit deletes the undo rows of everybody',
    file: undoStore,
    find: "'delete from settle_undo where gid = any ($1::text[])'",
    replace: "'delete from settle_undo where $1::text[] is not null'",
    killedBy: ['at-undo'],
  },
];

const ofRestore: readonly Mutant[] = [
  {
    name: 'dirty-row-overwritten',
    idea: 'a rollback does not compare a row with what it had left there',
    file: 'client-sdk/resource/restore-plan.ts',
    find: 'if (isSame(image, after)) return { to: before, why: null };',
    replace: 'if (after !== undefined) return { to: before, why: null };',
    killedBy: ['restore-plan', 'at-undo'],
  },
  {
    name: 'undo-rows-oldest-first',
    idea: 'steps are undone in the order in which they were done',
    file: restore,
    find: 'order by settle_undo.undo_id desc`;',
    replace: 'order by settle_undo.undo_id`;',
    killedBy: ['at-undo'],
  },
];

const ofChoices: readonly Mutant[] = [
  {
    name: 'seen-not-compared',
    idea: 'a choice is followed though the row is another one than the operator has looked at',
    file: 'client-sdk/resource/choices.ts',
    find: 'if (seen !== digestOf(row.found)) changed.push(',
    replace: "if (seen === '') changed.push(",
    killedBy: ['restore-plan', 'at-resolve'],
  },
  {
    name: 'keep-that-writes',
    idea: 'a row that is to be kept is restored',
    file: 'client-sdk/resource/choices.ts',
    find: lines("case 'keep':", '      return image;'),
    replace: lines("case 'keep':", '      return before;'),
    killedBy: ['restore-plan', 'at-resolve'],
  },
  {
    name: 'merge-takes-all-columns',
    idea: 'a merge overwrites the columns that nobody has named',
    file: 'client-sdk/resource/choices.ts',
    find: "Object.hasOwn(sources, name) && sources[name] === 'before' && image[name] !== before[name];",
    replace: "sources[name] !== 'current' && image[name] !== before[name];",
    killedBy: ['restore-plan', 'at-resolve'],
  },
  {
    name: 'resolved-without-the-barrier-row',
    idea: 'rows are resolved for a branch that was rolled back already, and another time after it',
    file: 'client-sdk/resource/resolve.ts',
    find: 'if (!(await barrier.markRolledBack(session, branch))) throw new Left(alreadyRolledBack);',
    replace: 'void alreadyRolledBack;',
    killedBy: ['at-resolve'],
  },
  {
    name: 'trial-that-stays',
    idea: 'a dry run is committed',
    file: 'client-sdk/resource/resolve.ts',
    find: "if (answer.kind === 'refused' || question.dryRun) throw new Left(answer);",
    replace: "if (answer.kind === 'refused') throw new Left(answer);",
    killedBy: ['at-resolve'],
  },
  {
    name: 'merge-leaves-own-changes',
    idea: 'a merge leaves what the transaction has changed in columns that nobody has named',
    file: 'client-sdk/resource/restore-plan.ts',
    find: 'if (table === null || newest === undefined) return choice;',
    replace: 'if (table === null || newest !== undefined) return choice;',
    killedBy: ['restore-plan', 'at-resolve'],
  },
  {
    name: 'done-by-word-over-dirty-rows',
    idea: 'a branch counts as done while its undo rows hold dirty rows for ever',
    file: 'server/engine/operate.ts',
    find: "if (dirty !== null) return answered(refusal('AT_DIRTY_ROW', dirty));",
    replace: 'void dirty;',
    killedBy: ['engine'],
  },
  {
    name: 'resolved-before-the-decision',
    idea: 'rows are put back for a transaction that may commit yet',
    file: 'server/engine/undo-branches.ts',
    find: "if (phase !== 'rollingBack') {",
    replace: "if (phase === 'rolledBack') {",
    killedBy: ['engine', 'at-resolve'],
  },
];

/** Bugs of `settle.at`: of a scope's end, of locks, of what comes back. */
export const resourceMutants: readonly Mutant[] = [
  ...ofPhaseOne,
  ...ofScopes,
  ...ofLocks,
  ...ofRestore,
  ...ofChoices,
];
