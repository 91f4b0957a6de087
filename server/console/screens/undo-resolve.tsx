/** The dialog that resolves rows: the participant tries it and takes it back before anybody says yes. */
import { useEffect, useState } from 'preact/hooks';
import type { ResolvedAnswer, ResolveRequest } from '../../../client-sdk/protocol/undo.ts';
import { type Answered, tell } from '../ask.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Refusal } from '../parts/shown.tsx';
import { href } from '../route.ts';
import { counted, undoneWords } from '../wording.ts';
import { ResolvedRows } from './resolved-rows.tsx';

/** Open for as long as it is rendered. */
export function ResolveDialog(props: {
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
    const { auditSeq } = answer.body;
    return (
      <>
        <p>
          {counted(answer.body.rowsTotal, 'row')} written. On the record as{' '}
          <a href={href(['audit'], { at: String(auditSeq) })}>audit entry {auditSeq}</a>.
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
