/**
 * What somebody has chosen for rows under automatic undo, and the request that it makes. Pure. Guards:
 * a choice carries the digest of the row (of all rows, where it is about others) as it was looked at,
 * so that a row which has changed since is refused and not overwritten.
 */
import type {
  InspectedRow,
  OtherResolution,
  ResolveRequest,
  RowChoice,
  RowResolution,
  UndoOfResource,
} from '../../../client-sdk/protocol/undo.ts';

/** Of one row; the columns count for a merge only. */
export interface Choice {
  readonly choice: RowChoice | null;
  readonly columns: Readonly<Record<string, 'before' | 'current'>>;
}

/** Choices by {@link rowId}. */
export type Choices = Readonly<Record<string, Choice>>;

/** Nothing is chosen. */
export const undecided: Choice = { choice: null, columns: {} };

/** Name of a row among those of its resource. */
export function rowId({ table, key }: { readonly table: string; readonly key: string }): string {
  return JSON.stringify([table, key]);
}

/** Columns to choose of in a merge: those where somebody else has been. The others are taken back. */
export function mergeable(row: InspectedRow): readonly string[] {
  return row.differing;
}

/** What becomes of dirty rows that nobody has chosen for; null: they must be chosen for, too. */
export type Others = OtherResolution['choice'] | null;

/** The request, without the reason. */
export function resolutionOf(
  gid: string,
  resource: UndoOfResource,
  choices: Choices,
  others: Others,
): Omit<ResolveRequest, 'reason'> {
  const rows = resource.rows.flatMap((row) => {
    const chosen = choices[rowId(row)];
    return chosen === undefined || chosen.choice === null ? [] : [resolvedRow(row, chosen)];
  });
  const { branchIds, seen } = resource;
  const [branchId] = branchIds;
  return {
    gid,
    ...(branchId === undefined ? {} : { branchId }),
    ...(rows.length === 0 ? {} : { rows }),
    ...(others === null || seen === null ? {} : { otherwise: { choice: others, seen } }),
  };
}

function resolvedRow(row: InspectedRow, { choice, columns }: Choice): RowResolution {
  const { table, key, seen } = row;
  const place = { table, key, seen, choice: choice ?? 'keep' };
  if (choice !== 'merge') return place;
  const named = mergeable(row).map((column) => [column, columns[column] ?? 'current'] as const);
  return { ...place, columns: Object.fromEntries(named) };
}
