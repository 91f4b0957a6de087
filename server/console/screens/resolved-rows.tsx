/** Rows as they were found and as they are (or would be) after a resolution, column by column. */
import type { ResolvedAnswer, ShownRow } from '../../../client-sdk/protocol/undo.ts';
import { Badge, Table } from '../parts/shown.tsx';
import { rowId } from './choices.ts';

/** Only columns that change are shown. */
export function ResolvedRows({ answer }: { answer: ResolvedAnswer }) {
  return (
    <Table label="Rows" class="compact" heads={['row', 'choice', 'changes']}>
      {answer.rows.map((row) => (
        <tr key={rowId(row)}>
          <td class="mono">
            {row.table} {row.key}
          </td>
          <td>
            <Badge>{row.choice ?? 'as by any rollback'}</Badge>
          </td>
          <td class="mono">{changesOf(row.from, row.to)}</td>
        </tr>
      ))}
    </Table>
  );
}

function changesOf(from: ShownRow | null, to: ShownRow | null): string {
  if (from === null && to === null) return 'there is no row';
  if (to === null) return 'the row is taken away';
  if (from === null) return 'the row is written anew';
  const names = Object.keys(to).filter((name) => to[name] !== from[name]);
  if (names.length === 0) return 'stays as it is';
  return names.map((name) => `${name}: ${from[name] ?? 'NULL'} → ${to[name] ?? 'NULL'}`).join(', ');
}
