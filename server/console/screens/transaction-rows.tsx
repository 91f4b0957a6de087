/** The table of transactions. Columns have fixed widths, so that nothing moves when texts change. */
import { Age, Badge, GidLink, PhaseBadge, Table, Time } from '../parts/shown.tsx';
import { useMayChange } from '../session.ts';
import { isFinished, type Listed, troubleText } from '../wording.ts';

/** Rows, and which of them are selected. */
export function TransactionRows(props: {
  readonly rows: readonly { readonly line: Listed; readonly isGone: boolean }[];
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (selected: ReadonlySet<string>) => void;
}) {
  const { rows, selected, onSelect } = props;
  const mayChange = useMayChange();
  const open = rows.filter(({ line }) => !isFinished(line.phase)).map(({ line }) => line.gid);
  const isEvery = open.length > 0 && open.every((gid) => selected.has(gid));
  const toggle = (gid: string) => {
    const next = new Set(selected);
    if (!next.delete(gid)) next.add(gid);
    onSelect(next);
  };
  const all = (
    <input
      type="checkbox"
      aria-label="Select all open ones of this page"
      checked={isEvery}
      disabled={open.length === 0 || !mayChange}
      onChange={() => onSelect(new Set(isEvery ? [] : open))}
    />
  );
  const heads = [all, 'gid', 'name', 'phase', 'what is wrong', 'services', 'started', 'age'];
  return (
    <Table label="Transactions" class="transactions" heads={heads}>
      {rows.map(({ line, isGone }) => (
        <tr
          key={line.gid}
          data-row
          class={`${isGone ? 'gone' : ''} ${line.attention === null ? '' : 'attention'}`}
          title={isGone ? 'It no longer fits what is searched for' : undefined}
        >
          <td>
            <input
              type="checkbox"
              aria-label={`Select ${line.gid}`}
              checked={selected.has(line.gid)}
              disabled={isFinished(line.phase) || !mayChange}
              onChange={() => toggle(line.gid)}
            />
          </td>
          <td>
            <GidLink gid={line.gid} />
          </td>
          <td title={line.name}>
            {line.name} {line.mode === 'saga' ? <span class="faint">saga</span> : null}
          </td>
          <td>
            <PhaseBadge phase={line.phase} />
            {line.attention === null ? null : <Badge tone="bad">needs you</Badge>}
          </td>
          <td>
            <Trouble line={line} />
          </td>
          <td title={line.services?.join(', ')}>{servicesText(line.services ?? [])}</td>
          <td>
            <Time atMs={line.startedAtMs} isShort />
          </td>
          <td>
            <Age fromMs={line.startedAtMs} toMs={line.finishedAtMs} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** At most two lines of the list; all of it stands in the tooltip, and one step away. */
function Trouble({ line }: { line: Listed }) {
  const text = troubleText(line);
  const isOpen = !isFinished(line.phase);
  return (
    <div class={`trouble ${isOpen ? 'error-text' : 'faint'}`} title={text}>
      {text}
    </div>
  );
}

/** The first ones; a list has room for no more. */
function servicesText(services: readonly string[]): string {
  if (services.length <= 2) return services.join(', ');
  return `${services[0]} +${services.length - 1}`;
}
