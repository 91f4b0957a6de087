/** What stands in the log of one transaction, oldest first, in words. Payloads are not shown. */
import type { TimelineEntry } from '../../../client-sdk/protocol/desk.ts';
import { Badge, Panel, Table, Time } from '../parts/shown.tsx';

/** The table of records. */
export function Records({ entries }: { entries: readonly TimelineEntry[] }) {
  return (
    <Panel title="Records" class="flush">
      <Table
        label="Records"
        class="compact"
        heads={['seq', 'when', 'term', 'record', 'branch', 'what it says']}
      >
        {entries.map((entry, at) => (
          <tr key={at}>
            <td class="number">{entry.seq}</td>
            <td>
              <Time atMs={entry.atMs} withMs />
            </td>
            <td class="number">{entry.epoch}</td>
            <td>
              <Badge tone={entry.kind === 'attention' ? 'bad' : 'plain'}>{entry.kind}</Badge>
            </td>
            <td class="number">{entry.branchId ?? ''}</td>
            <td>
              {entry.text}
              {entry.operator === null ? null : (
                <span class="faint">
                  {' '}
                  by <strong>{entry.operator.who}</strong>: {entry.operator.reason}
                </span>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </Panel>
  );
}
