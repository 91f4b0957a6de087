/** One row under automatic undo: its three images side by side, and what is to become of it. */
import type {
  InspectedRow,
  RowChoice,
  RowState,
  ShownRow,
} from '../../../client-sdk/protocol/undo.ts';
import { Badge, Table, type Tone } from '../parts/shown.tsx';
import type { Choice } from './choices.ts';

const tones: Readonly<Record<RowState, Tone>> = {
  clean: 'good',
  restored: 'good',
  dirty: 'bad',
  locked: 'plain',
};

const choiceWords: Readonly<Record<RowChoice, string>> = {
  restore: 'restore: as it was before',
  keep: 'keep: as it is now',
  merge: 'merge: take back what it did, keep what others changed',
};

/** `onChoose` null: there is nothing to choose. Only dirty rows need a choice. */
export function UndoRow(props: {
  readonly row: InspectedRow;
  readonly chosen: Choice;
  readonly onChoose: ((choice: Choice) => void) | null;
}) {
  const { row, chosen, onChoose } = props;
  const canChoose = onChoose !== null && row.state === 'dirty';
  const name = `${row.table} ${row.key}`;
  return (
    <details class="undo-row" open={row.state === 'dirty'}>
      <summary data-row>
        <span class="mono">{name}</span> <Badge tone={tones[row.state]}>{row.state}</Badge>{' '}
        <span class="faint">{row.why ?? ''}</span>
      </summary>
      <Images row={row} chosen={chosen} onChoose={canChoose ? onChoose : null} />
      {canChoose ? (
        <fieldset>
          <legend>What becomes of {name}</legend>
          {(['restore', 'keep', 'merge'] as const).map((choice) => (
            <label key={choice} class="check">
              <input
                type="radio"
                name={`choice ${name}`}
                checked={chosen.choice === choice}
                disabled={choice === 'merge' && !canMerge(row)}
                onChange={() => onChoose({ ...chosen, choice })}
              />
              {choiceWords[choice]}
            </label>
          ))}
        </fieldset>
      ) : null}
    </details>
  );
}

/** A row that is not there has no columns to choose of. */
function canMerge(row: InspectedRow): boolean {
  return row.before !== null && row.current !== null;
}

function Images(props: {
  readonly row: InspectedRow;
  readonly chosen: Choice;
  readonly onChoose: ((choice: Choice) => void) | null;
}) {
  const { row, chosen, onChoose } = props;
  const isMerge = chosen.choice === 'merge' && onChoose !== null;
  const names = Object.keys({ ...row.before, ...row.after, ...row.current });
  const heads = ['column', 'before', 'after', 'current', ...(isMerge ? ['becomes'] : [])];
  return (
    <>
      <Table label={`Images of ${row.table} ${row.key}`} class="images" heads={heads}>
        {names.map((name) => {
          const isDiffering = row.differing.includes(name);
          return (
            <tr key={name} class={isDiffering ? 'differing' : ''}>
              <th scope="row">
                {name} <span class="faint">{row.types[name] ?? ''}</span>
              </th>
              <Cell image={row.before} name={name} />
              <Cell image={row.after} name={name} against={row.before} />
              <Cell image={row.current} name={name} against={row.after} />
              {isMerge ? (
                <td>
                  {isDiffering ? (
                    <Becomes name={name} chosen={chosen} onChoose={onChoose} />
                  ) : (
                    <span class="faint">
                      {row.before?.[name] === row.current?.[name]
                        ? 'as it is now'
                        : 'as it was before'}
                    </span>
                  )}
                </td>
              ) : null}
            </tr>
          );
        })}
      </Table>
      {row.cut.length === 0 ? null : <p class="faint">Cut short: {row.cut.join(', ')}.</p>}
      {row.columnsLeftOut === 0 ? null : (
        <p class="faint">{row.columnsLeftOut} columns are not shown: the row is too wide.</p>
      )}
    </>
  );
}

function Cell(props: { image: ShownRow | null; name: string; against?: ShownRow | null }) {
  const { image, name, against } = props;
  if (image === null) return <td class="faint">no row</td>;
  const text = image[name];
  const isOther = against !== undefined && against !== null && against[name] !== text;
  return (
    <td class="mono">
      {isOther ? <mark>{text ?? 'NULL'}</mark> : (text ?? <span class="faint">NULL</span>)}
    </td>
  );
}

function Becomes(props: {
  readonly name: string;
  readonly chosen: Choice;
  readonly onChoose: (choice: Choice) => void;
}) {
  const { name, chosen, onChoose } = props;
  const choose = (value: string) => {
    const side = value === 'before' ? 'before' : 'current';
    onChoose({ ...chosen, columns: { ...chosen.columns, [name]: side } });
  };
  return (
    <select
      aria-label={`${name} becomes`}
      value={chosen.columns[name] ?? 'current'}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      <option value="current">as it is now</option>
      <option value="before">as it was before</option>
    </select>
  );
}
