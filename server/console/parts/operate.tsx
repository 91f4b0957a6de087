/**
 * Retry, roll back, skip, and count as done (`resolve` of the API): for one transaction, for those that are selected, or for all
 * that a query finds. The preview is the coordinator's own dry run, and its count is given back, so
 * that nothing is done to more than was seen.
 */
import { useEffect, useState } from 'preact/hooks';
import type {
  OperationAnswer,
  OperationRequest,
  OperationResult,
  OperatorAction,
} from '../../../client-sdk/protocol/desk.ts';
import { type Answered, tell } from '../ask.ts';
import { href } from '../route.ts';
import { count, counted, phaseWords, undoneWords } from '../wording.ts';
import { Confirm } from './confirm.tsx';
import { Badge, GidLink, PhaseBadge, Refusal, Table } from './shown.tsx';

/** What is to be done, without the reason. */
export type Wanted = Omit<OperationRequest, 'reason' | 'dryRun' | 'countMax'>;

const titles: Readonly<Record<OperatorAction, string>> = {
  retry: 'Retry',
  rollback: 'Roll back',
  skip: 'Skip a branch',
  resolve: 'Count as done',
};

const nobodyIsAsked =
  'Nobody is asked. No money moves and no row is restored by this; it is the last resort.';

const meanings: Readonly<Record<OperatorAction, string>> = {
  retry: 'All that is owed is asked now, without waiting for the next attempt.',
  rollback: 'An undecided transaction is decided to roll back. A decision never changes.',
  skip: `What this branch owes counts as done, because a human has seen to it. ${nobodyIsAsked}`,
  resolve: `What every branch owes counts as done, because a human has seen to it. ${nobodyIsAsked}`,
};

const shownMax = 100;

/** The dialog. */
export function OperateDialog({ wanted, onClose }: { wanted: Wanted; onClose: () => void }) {
  const [preview, setPreview] = useState<Answered<OperationAnswer> | null>(null);
  useEffect(() => {
    const body = { ...wanted, reason: 'preview', dryRun: true } satisfies OperationRequest;
    void tell<OperationAnswer>('/v1/operations', body).then(setPreview);
  }, [wanted]);
  const act = async (reason: string) => {
    const seen = preview?.ok === true ? preview.body.matched : 0;
    const bound = wanted.query === undefined ? {} : { countMax: seen };
    const body = { ...wanted, ...bound, reason } satisfies OperationRequest;
    return <Outcome answer={await tell<OperationAnswer>('/v1/operations', body)} />;
  };
  const can = preview?.ok === true ? preview.body.results.filter(isPossible).length : 0;
  const title = titles[wanted.action];
  return (
    <Confirm
      title={title}
      isWide
      isDangerous={wanted.action !== 'retry'}
      isReady={can > 0}
      verb={preview === null ? title : `${title}: ${counted(can, 'transaction')}`}
      preview={
        <>
          <p>{meanings[wanted.action]}</p>
          <Preview answer={preview} />
        </>
      }
      act={act}
      onClose={onClose}
    />
  );
}

const isPossible = ({ error }: OperationResult) => error === null;

function Preview({ answer }: { answer: Answered<OperationAnswer> | null }) {
  if (answer === null) return <p aria-busy="true">Asking what would be done …</p>;
  if (!answer.ok) return <Refusal refused={answer.refused} what="It cannot be done" />;
  const { matched, results } = answer.body;
  const refused = results.filter((result) => !isPossible(result)).length;
  const rest = matched - results.length;
  return (
    <>
      <p>
        It concerns <strong>{counted(matched, 'transaction')}</strong>
        {refused === 0 ? '. ' : `; for ${count(refused)} of these it cannot be done. `}
        {rest > 0 ? `The first ${count(results.length)} now; ask again for the rest.` : ''}
      </p>
      <Results results={results} />
    </>
  );
}

function Outcome({ answer }: { answer: Answered<OperationAnswer> }) {
  if (!answer.ok)
    return (
      <Refusal refused={answer.refused} what={undoneWords(answer.refused, 'Nothing was done')} />
    );
  const { auditSeq, results } = answer.body;
  const done = results.filter(isPossible).length;
  return (
    <>
      <p>
        Done for {counted(done, 'transaction')}
        {done === results.length ? '' : `, refused for ${count(results.length - done)}`}. On the
        record as <a href={href(['audit'], { at: String(auditSeq) })}>audit entry {auditSeq}</a>.
      </p>
      <Results results={results} />
    </>
  );
}

function Results({ results }: { results: readonly OperationResult[] }) {
  if (results.length === 0) return null;
  return (
    <>
      <Table label="Transactions concerned" class="compact" heads={['gid', 'name', 'now', 'then']}>
        {results.slice(0, shownMax).map(({ gid, name, before, after, error }) => (
          <tr key={gid}>
            <td>
              <GidLink gid={gid} />
            </td>
            <td>{name}</td>
            <td>{before === null ? '–' : phaseWords[before]}</td>
            <td>
              {after === null ? null : <PhaseBadge phase={after} />}
              {error === null ? null : (
                <>
                  <Badge tone="bad">{error.code}</Badge> {error.detail}
                </>
              )}
            </td>
          </tr>
        ))}
      </Table>
      {results.length > shownMax ? (
        <p class="faint">and {count(results.length - shownMax)} more</p>
      ) : null}
    </>
  );
}
