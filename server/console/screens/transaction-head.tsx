/** What is to be known of a transaction at first sight, and what can be done to all of it. */
import type { BranchView, TransactionView } from '../../../client-sdk/protocol/requests.ts';
import type { Wanted } from '../parts/operate.tsx';
import { Age, Badge, Fact, PhaseBadge, panelId, Time } from '../parts/shown.tsx';
import { href } from '../route.ts';
import { useMayChange } from '../session.ts';
import { causeText, isFinished } from '../wording.ts';
import { undoTitle } from './undo.tsx';

/** Facts and actions, side by side. */
export function Head(props: {
  readonly tx: TransactionView;
  readonly onAct: (wanted: Wanted) => void;
}) {
  const { tx, onAct } = props;
  const isOffered = useMayChange() && !isFinished(tx.phase);
  return (
    <div class="head">
      <Facts tx={tx} />
      {isOffered ? <Actions tx={tx} onAct={onAct} /> : null}
    </div>
  );
}

function Facts({ tx }: { tx: TransactionView }) {
  const isOpen = !isFinished(tx.phase);
  const { phase, cause, startedAtMs, finishedAtMs } = tx;
  return (
    <dl class="facts">
      <Fact name="phase">
        <PhaseBadge phase={phase} />{' '}
        {tx.attention === null ? null : <Badge tone="bad">needs you</Badge>}
      </Fact>
      <Fact name={isOpen ? 'open for' : 'took'}>
        <Age fromMs={startedAtMs} toMs={finishedAtMs} />
      </Fact>
      <Fact name="name">{tx.name || '–'}</Fact>
      <Fact name="mode">{tx.mode}</Fact>
      <Fact name="started">
        <Time atMs={startedAtMs} withMs />
      </Fact>
      <Fact name={phase === 'active' ? 'deadline' : 'decided'}>
        <Time atMs={phase === 'active' ? tx.deadlineAtMs : tx.decidedAtMs} withMs />
      </Fact>
      {isOpen ? null : (
        <Fact name="finished">
          <Time atMs={finishedAtMs} withMs />
        </Fact>
      )}
      {cause === null ? null : <Fact name="cause">{causeText(cause)}</Fact>}
      <Labels labels={tx.labels} />
    </dl>
  );
}

function Labels({ labels }: { labels: Readonly<Record<string, string>> }) {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  if (texts.length === 0) return null;
  return (
    <Fact name="labels">
      {texts.map((label) => (
        <a key={label} class="label mono" href={href(['transactions'], { label })}>
          {label}
        </a>
      ))}
    </Fact>
  );
}

/** Asking it again helps only when somebody has put the row back: the row is to be decided about. */
function isRefusedByRow({ kind, operation, lastError }: BranchView): boolean {
  return kind === 'at' && operation !== null && lastError?.includes('AT_DIRTY_ROW') === true;
}

/** Only those that the coordinator would take; what is offered first is what mostly helps. */
function Actions({ tx, onAct }: { tx: TransactionView; onAct: (wanted: Wanted) => void }) {
  const owes = tx.branches.some(({ operation }) => operation !== null);
  const isDirty = tx.branches.some(isRefusedByRow);
  const act = (action: 'retry' | 'rollback' | 'resolve') => () => {
    onAct({ action, gids: [tx.gid] });
  };
  return (
    <div class="actions" role="toolbar" aria-label="Actions">
      {isDirty ? (
        <a class="button primary" href={`#${panelId(undoTitle)}`}>
          Resolve its rows
        </a>
      ) : null}
      {owes ? (
        <button type="button" class={isDirty ? '' : 'primary'} onClick={act('retry')}>
          Retry now …
        </button>
      ) : null}
      {tx.phase === 'active' ? (
        <button type="button" class={owes ? '' : 'primary'} onClick={act('rollback')}>
          Roll back …
        </button>
      ) : (
        <button type="button" onClick={act('resolve')}>
          Count as done …
        </button>
      )}
    </div>
  );
}
