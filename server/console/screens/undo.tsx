/**
 * Rows under automatic undo: as they were before, as the transaction left them, as they are now, and
 * the three ways to resolve those that somebody else has changed. Nothing is written without a look
 * at the dry run.
 */
import { useEffect, useState } from 'preact/hooks';
import type {
  ResolvedAnswer,
  ResolveRequest,
  UndoAnswer,
  UndoOfResource,
} from '../../../client-sdk/protocol/undo.ts';
import { useAnswer } from '../answer.ts';
import { type Answered, tell } from '../ask.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Badge, Empty, Panel, Refusal } from '../parts/shown.tsx';
import { go, href } from '../route.ts';
import { useMayChange } from '../session.ts';
import { counted, participantText, undoneWords } from '../wording.ts';
import { type Choice, type Choices, resolutionOf, rowId, undecided } from './choices.ts';
import { ResolvedRows } from './resolved-rows.tsx';
import { UndoRow } from './undo-row.tsx';

const rowsMax = 50;

/** All at branches of a transaction. Asked once and on demand, for it asks databases. */
export function UndoPanel(props: {
  readonly gid: string;
  readonly isOpen: boolean;
  readonly query: URLSearchParams;
  readonly onDone: () => void;
}) {
  const { gid, query, onDone } = props;
  const cursor = query.get('undo') ?? '';
  const branch = query.get('branch') ?? '';
  const page = cursor === '' ? '' : `&branchId=${branch}&cursor=${encodeURIComponent(cursor)}`;
  const path = `/v1/transactions/${encodeURIComponent(gid)}/undo?limit=${rowsMax}${page}`;
  const { body, refused, isLoading, again } = useAnswer<UndoAnswer>(path, () => false);
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
    <Panel title="Undo rows" aside={look}>
      {refused === null ? null : <Refusal refused={refused} what="Undo rows" />}
      {isLoading ? <p aria-busy="true">Asking the participants …</p> : null}
      {body?.resources.map((resource) => (
        <Resource
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

function Resource(props: {
  readonly gid: string;
  readonly resource: UndoOfResource;
  readonly isRollingBack: boolean;
  readonly onDone: () => void;
}) {
  const { gid, resource, isRollingBack, onDone } = props;
  const mayChange = useMayChange() && isRollingBack && !resource.isFinished;
  const [choices, setChoices] = useState<Choices>({});
  const [request, setRequest] = useState<Omit<ResolveRequest, 'reason'> | null>(null);
  const chosen = Object.values(choices).filter(({ choice }) => choice !== null).length;
  const choose = (id: string, choice: Choice) => setChoices({ ...choices, [id]: choice });
  const close = () => {
    setRequest(null);
    setChoices({});
    onDone();
  };
  const { nextCursor, branchIds } = resource;
  const next = { undo: nextCursor ?? '', branch: String(branchIds[0] ?? '') };
  return (
    <article class="resource">
      <h3>
        {resource.resource ?? participantText(resource.participant)}{' '}
        <span class="faint">branches {branchIds.join(', ')}</span>{' '}
        {resource.dirtyTotal === 0 ? null : <Badge tone="bad">{resource.dirtyTotal} dirty</Badge>}{' '}
        <span class="faint">of {counted(resource.rowsTotal, 'row')}</span>
      </h3>
      {resource.error === null ? null : (
        <p class="notice bad">
          It could not be asked: {resource.error.detail}{' '}
          <span class="code">{resource.error.code}</span>
        </p>
      )}
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
      <footer class="pager">
        {mayChange && resource.rows.length > 0 ? (
          <button
            type="button"
            class="primary"
            disabled={chosen === 0}
            onClick={() => setRequest(resolutionOf(gid, resource, choices))}
          >
            Resolve {counted(chosen, 'row')} …
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

function ResolveDialog(props: {
  readonly request: Omit<ResolveRequest, 'reason'>;
  readonly onClose: () => void;
}) {
  const { request, onClose } = props;
  const path = `/v1/transactions/${encodeURIComponent(request.gid)}/undo/resolve`;
  const [preview, setPreview] = useState<Answered<ResolvedAnswer> | null>(null);
  useEffect(() => {
    const { gid: _, ...body } = request;
    void tell<ResolvedAnswer>(path, { ...body, reason: 'preview', dryRun: true }).then(setPreview);
  }, [path, request]);
  const act = async (reason: string) => {
    const { gid: _, ...body } = request;
    const answer = await tell<ResolvedAnswer>(path, { ...body, reason });
    if (!answer.ok)
      return (
        <Refusal
          refused={answer.refused}
          what={undoneWords(answer.refused, 'Nothing was written')}
        />
      );
    return (
      <>
        <p>
          {counted(answer.body.rowsTotal, 'row')} written. It is in the{' '}
          <a href={href(['audit'])}>audit</a>.
        </p>
        <ResolvedRows answer={answer.body} />
      </>
    );
  };
  return (
    <Confirm
      title="Resolve rows"
      isWide
      isDangerous
      isReady={preview?.ok === true}
      verb="Resolve"
      preview={<Preview answer={preview} />}
      act={act}
      onClose={onClose}
    />
  );
}

function Preview({ answer }: { answer: Answered<ResolvedAnswer> | null }) {
  if (answer === null) return <p aria-busy="true">Trying it, and taking it back …</p>;
  if (!answer.ok) return <Refusal refused={answer.refused} what="It cannot be done" />;
  return (
    <>
      <p>This would become of {counted(answer.body.rowsTotal, 'row')}; nothing is written yet.</p>
      <ResolvedRows answer={answer.body} />
    </>
  );
}
