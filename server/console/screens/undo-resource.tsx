/**
 * The undo rows of one resource of a transaction, and what somebody chooses for the dirty ones: each
 * by itself, or all others in one go.
 */
import { useState } from 'preact/hooks';
import type { ResolveRequest, UndoOfResource } from '../../../client-sdk/protocol/undo.ts';
import { Badge, Empty } from '../parts/shown.tsx';
import { go, href } from '../route.ts';
import { useMayChange } from '../session.ts';
import { counted, participantText } from '../wording.ts';
import {
  type Choice,
  type Choices,
  type Others,
  resolutionOf,
  rowId,
  undecided,
} from './choices.ts';
import { ResolveDialog } from './undo-resolve.tsx';
import { UndoRow } from './undo-row.tsx';

/** Its rows, what is chosen for them, and the button that leads to the dry run. */
export function UndoResource(props: {
  readonly gid: string;
  readonly resource: UndoOfResource;
  readonly isRollingBack: boolean;
  readonly onDone: () => void;
}) {
  const { gid, resource, isRollingBack, onDone } = props;
  const mayChange = useMayChange() && isRollingBack && !resource.isFinished;
  const [choices, setChoices] = useState<Choices>({});
  const [others, setOthers] = useState<Others>(null);
  const [request, setRequest] = useState<Omit<ResolveRequest, 'reason'> | null>(null);
  const chosen = Object.values(choices).filter(({ choice }) => choice !== null).length;
  const choose = (id: string, choice: Choice) => setChoices({ ...choices, [id]: choice });
  const close = () => {
    setRequest(null);
    setChoices({});
    setOthers(null);
    onDone();
  };
  const { nextCursor, branchIds } = resource;
  const next = { undo: nextCursor ?? '', branch: String(branchIds[0] ?? '') };
  return (
    <article class="resource">
      <ResourceHead resource={resource} />
      {resource.error === null && resource.rows.length === 0 ? (
        <Empty>No undo rows stand there.</Empty>
      ) : null}
      {resource.rows.map((row) => (
        <UndoRow
          key={rowId(row)}
          row={row}
          chosen={choices[rowId(row)] ?? undecided}
          onChoose={mayChange ? (choice) => choose(rowId(row), choice) : null}
        />
      ))}
      {mayChange && resource.dirtyTotal > 1 ? (
        <OtherRows others={others} onChoose={setOthers} />
      ) : null}
      <footer class="pager">
        {mayChange && resource.rows.length > 0 ? (
          <button
            type="button"
            class="primary"
            disabled={chosen === 0 && others === null}
            onClick={() => setRequest(resolutionOf(gid, resource, choices, others))}
          >
            {others === null ? `Resolve ${counted(chosen, 'row')} …` : 'Resolve all rows …'}
          </button>
        ) : null}
        {nextCursor === null ? null : (
          <button type="button" onClick={() => go(href(['transactions', gid], next))}>
            More rows
          </button>
        )}
      </footer>
      {request === null ? null : <ResolveDialog request={request} onClose={close} />}
    </article>
  );
}

function ResourceHead({ resource }: { resource: UndoOfResource }) {
  const { branchIds, dirtyTotal, rowsTotal, error } = resource;
  return (
    <>
      <h3>
        {resource.resource ?? participantText(resource.participant)}{' '}
        <span class="faint">
          {branchIds.length === 1 ? 'branch' : 'branches'} {branchIds.join(', ')},{' '}
          {counted(rowsTotal, 'row')}
        </span>{' '}
        {dirtyTotal === 0 ? null : <Badge tone="bad">{dirtyTotal} dirty</Badge>}
      </h3>
      {error === null ? null : (
        <p class="notice bad">
          It could not be asked: {error.detail} <span class="code">{error.code}</span>
        </p>
      )}
    </>
  );
}

/** For many dirty rows at once, those of further pages, too. */
function OtherRows(props: {
  readonly others: Others;
  readonly onChoose: (others: Others) => void;
}) {
  const choose = (value: string) => {
    props.onChoose(value === 'restore' || value === 'keep' ? value : null);
  };
  return (
    <label class="others">
      Dirty rows without a choice of their own
      <select value={props.others ?? ''} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">each needs a choice</option>
        <option value="restore">restore: as they were before</option>
        <option value="keep">keep: as they are now</option>
      </select>
    </label>
  );
}
