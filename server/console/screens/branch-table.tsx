/** Branches of a transaction, or steps of a saga: what each owes, how often it was asked, what went wrong. */
import type { BranchView, TransactionView } from '../../../client-sdk/protocol/requests.ts';
import { useNow } from '../live.ts';
import { Badge, Empty, JsonText, Table, type Tone } from '../parts/shown.tsx';
import { href } from '../route.ts';
import { useMayChange } from '../session.ts';
import { branchWord, participantText, span } from '../wording.ts';

/** Those that are in trouble first, then by number. */
export function BranchTable(props: {
  readonly tx: TransactionView;
  readonly onSkip: (branch: BranchView) => void;
}) {
  const { tx, onSkip } = props;
  const mayChange = useMayChange();
  if (tx.branches.length === 0) return <Empty>It has no branches.</Empty>;
  const branches = tx.branches.toSorted((a, b) => rank(a) - rank(b) || a.branchId - b.branchId);
  const heads = [
    '#',
    'participant',
    'kind',
    'state',
    'attempts',
    'next',
    'last error',
    'result',
    '',
  ];
  return (
    <Table label="Branches" class="branches" heads={heads}>
      {branches.map((branch) => (
        <tr key={branch.branchId} data-row id={`branch-${branch.branchId}`}>
          <td class="number">{branch.branchId}</td>
          <td>
            {branch.name === null ? null : <strong>{branch.name} </strong>}
            <ParticipantLink branch={branch} />
          </td>
          <td>{branch.kind}</td>
          <td>
            <Badge tone={toneOf(branch)}>{branchWord(branch)}</Badge>
          </td>
          <td class="number">{branch.attempts === 0 ? '' : branch.attempts}</td>
          <td>
            <Next atMs={branch.nextAttemptAtMs} />
          </td>
          <td class="error-text">{branch.lastError ?? ''}</td>
          <td>
            <Result value={branch.result} />
          </td>
          <td>
            {mayChange && branch.operation !== null ? (
              <button
                type="button"
                aria-label={`Skip branch ${branch.branchId}`}
                onClick={() => onSkip(branch)}
              >
                Skip …
              </button>
            ) : null}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function ParticipantLink({ branch: { participant } }: { branch: BranchView }) {
  const text = participantText(participant);
  if ('url' in participant) return <span class="mono">{text}</span>;
  return (
    <a
      class="mono"
      href={href(['transactions'], { service: participant.service, outcome: 'open' })}
    >
      {text}
    </a>
  );
}

const inlineMax = 48;

/** Small ones on one line: there may be 256 of them. */
function Result({ value }: { value: unknown }) {
  if (value === null) return null;
  const text = JSON.stringify(value);
  return text.length > inlineMax ? <JsonText value={value} /> : <code>{text}</code>;
}

function Next({ atMs }: { atMs: number | null }) {
  const nowMs = useNow(atMs !== null);
  if (atMs === null) return null;
  const inMs = atMs - nowMs;
  return <span class="mono">{inMs > 0 ? `in ${span(inMs)}` : 'now'}</span>;
}

function rank({ lastError, operation }: BranchView): number {
  if (lastError !== null && operation !== null) return 0;
  return operation === null ? 2 : 1;
}

/** Its colour; the word stands beside it. */
export function toneOf({ state, operation, lastError }: BranchView): Tone {
  if (operation !== null && lastError !== null) return 'bad';
  if (operation !== null || state === 'asked') return 'busy';
  const isPlain = state === 'registered' || state === 'waiting' || state === 'rolledBack';
  return isPlain || state === 'cancelled' || state === 'undone' ? 'plain' : 'good';
}
