/**
 * Rows under automatic undo: as they were before, as the transaction left them, as they are now, and
 * the three ways to resolve those that somebody else has changed. Nothing is written without a look
 * at the dry run.
 */
import { useRef } from 'preact/hooks';
import type { UndoAnswer } from '../../../client-sdk/protocol/undo.ts';
import { useAnswer } from '../answer.ts';
import { Panel, Refusal } from '../parts/shown.tsx';
import { UndoResource } from './undo-resource.tsx';

const rowsMax = 50;

/** Heading of the panel. */
export const undoTitle = 'Undo rows';

/** All at branches of a transaction. Asked once and on demand, for it asks databases. */
export function UndoPanel(props: {
  readonly gid: string;
  readonly query: URLSearchParams;
  readonly onDone: () => void;
}) {
  const { gid, query, onDone } = props;
  const cursor = query.get('undo') ?? '';
  const branch = query.get('branch') ?? '';
  const page = cursor === '' ? '' : `&branchId=${branch}&cursor=${encodeURIComponent(cursor)}`;
  const path = `/v1/transactions/${encodeURIComponent(gid)}/undo?limit=${rowsMax}${page}`;
  // Asked by itself only for as long as somebody could not be asked: what heals is seen to heal.
  const isFailing = useRef(false);
  const shown = useAnswer<UndoAnswer>(path, () => isFailing.current);
  const { body, refused, isLoading, again } = shown;
  const isUnasked = body?.resources.some(({ error }) => error !== null) === true;
  isFailing.current = refused !== null || isUnasked;
  const look = (
    <button type="button" onClick={again}>
      Look again
    </button>
  );
  const done = () => {
    again();
    onDone();
  };
  return (
    <Panel title={undoTitle} aside={look}>
      {refused === null ? null : <Refusal refused={refused} what="Undo rows" />}
      {isLoading ? <p aria-busy="true">Asking the participants …</p> : null}
      {body?.resources.map((resource) => (
        <UndoResource
          key={resource.branchIds.join()}
          gid={gid}
          resource={resource}
          isRollingBack={body.phase === 'rollingBack'}
          onDone={done}
        />
      ))}
    </Panel>
  );
}
