/**
 * What an operator can do about a row that somebody else has changed: look, then choose one of three,
 * each with what becomes of the row. Pure. Guard: the row is named in a command only as it was read
 * whole from the error, and so that a shell takes it as one word.
 */
import {
  type BranchView,
  dirtyRowIn,
  type Remedy,
  type TransactionView,
} from '../../client-sdk/protocol/index.ts';

/** Stands in for a row whose name is not known. */
const anyRow = 'TABLE KEY';

const effects = {
  restore: 'The row becomes what it was before; what somebody else changed in it is lost.',
  keep: 'The row stays as it is now, with what the transaction has done to it.',
  merge: 'What the transaction did is taken back, and what somebody else changed stays.',
} as const;

/** The remedies for the dirty row that `branch.lastError` tells of. */
export function dirtyRemedies(
  { branchId, lastError }: BranchView,
  { gid, branches }: TransactionView,
): Remedy[] {
  const dirty = dirtyRowIn(lastError ?? '');
  const row = quoted(dirty === null ? anyRow : `${dirty.table} ${dirty.key}`);
  // One resource is resolved at a time: where it was at several, this one is named.
  const others = branches.filter(({ kind }) => kind === 'at');
  const isOneOfSeveral = new Set(others.map((each) => JSON.stringify(each.participant))).size > 1;
  const where = isOneOfSeveral ? ` --branch ${branchId}` : '';
  const choices = (['restore', 'keep', 'merge'] as const).map((choice): Remedy => {
    const command = `settle undo resolve ${gid}${where} --${choice} ${row} --reason "…"`;
    return { text: effects[choice], command };
  });
  return [
    {
      text: 'See the rows: as they were, as it left them, as they are. Each dirty one needs a choice.',
      command: `settle undo diff ${gid}${where}`,
    },
    ...choices,
    {
      text: '`branch skip` and `tx resolve` are no way out: they move no money and restore no rows.',
      command: null,
    },
  ];
}

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
