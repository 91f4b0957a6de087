/**
 * One transaction: where it is and why, what can be done, and everything that has happened. It follows
 * by itself for as long as it is open.
 */
import { useState } from 'preact/hooks';
import type { Explanation, TimelineAnswer } from '../../../client-sdk/protocol/desk.ts';
import type { BranchView, TransactionView } from '../../../client-sdk/protocol/requests.ts';
import { type Shown, useAnswer } from '../answer.ts';
import type { Heard } from '../live.ts';
import { OperateDialog, type Wanted } from '../parts/operate.tsx';
import { Age, Badge, Fact, Panel, PhaseBadge, Refusal, Time } from '../parts/shown.tsx';
import { href } from '../route.ts';
import { useMayChange } from '../session.ts';
import { causeText, isFinished } from '../wording.ts';
import { BranchTable } from './branch-table.tsx';
import { Gantt } from './gantt.tsx';
import { Records } from './records.tsx';
import { UndoPanel } from './undo.tsx';

/** The screen of `gid`. */
export function TransactionScreen({ gid, query }: { gid: string; query: URLSearchParams }) {
  const base = `/v1/transactions/${encodeURIComponent(gid)}`;
  const concerns = (heard: Heard): boolean => {
    const isOpen = view.body === null || !isFinished(view.body.phase);
    // Attempts are no records, so nobody tells of them: an open one is looked at every other tick.
    if (heard.kind === 'overview') return isOpen && heard.overview.atMs % 2_000 < 1_000;
    return heard.kind === 'beat' ? isOpen : heard.isCut || heard.gids.includes(gid);
  };
  const view: Shown<TransactionView> = useAnswer(base, concerns);
  const explanation = useAnswer<Explanation>(`${base}/explanation`, concerns);
  const timeline = useAnswer<TimelineAnswer>(`${base}/timeline`, concerns);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const close = () => {
    setWanted(null);
    view.again();
    explanation.again();
    timeline.again();
  };
  const tx = view.body;
  return (
    <>
      <p class="crumbs">
        <a href={href(['transactions'])}>Transactions</a> /
      </p>
      <h1 class="mono">{gid}</h1>
      {view.refused === null ? null : <Refusal refused={view.refused} what="Transaction" />}
      {tx === null ? null : (
        <>
          <Head tx={tx} onAct={setWanted} />
          <Why tx={tx} explanation={explanation.body} refused={explanation.refused} />
          <Panel title="Timeline" class="flush">
            {timeline.refused === null ? null : (
              <Refusal refused={timeline.refused} what="Timeline" />
            )}
            <Gantt tx={tx} entries={timeline.body?.entries ?? []} />
          </Panel>
          <Panel title={tx.mode === 'saga' ? 'Steps' : 'Branches'} class="flush">
            <BranchTable tx={tx} onSkip={(branch) => setWanted(skipOf(tx, branch))} />
          </Panel>
          {tx.branches.some(({ kind }) => kind === 'at') ? (
            <UndoPanel gid={gid} query={query} onDone={close} />
          ) : null}
          {timeline.body === null ? null : <Records entries={timeline.body.entries} />}
        </>
      )}
      {wanted === null ? null : <OperateDialog wanted={wanted} onClose={close} />}
    </>
  );
}

/** What the branch was seen to owe, so that a later operation of it can never be hit. */
function skipOf(tx: TransactionView, { branchId, operation }: BranchView): Wanted {
  return {
    action: 'skip',
    gids: [tx.gid],
    branchId,
    // The view names the operation that is owed; the coordinator checks that it is one.
    ...(operation === null ? {} : { operation: operation as NonNullable<Wanted['operation']> }),
  };
}

function Head({ tx, onAct }: { tx: TransactionView; onAct: (wanted: Wanted) => void }) {
  const mayChange = useMayChange();
  const { gid, phase } = tx;
  const isOpen = !isFinished(phase);
  const act = (action: 'retry' | 'rollback' | 'resolve') => () => onAct({ action, gids: [gid] });
  return (
    <div class="head">
      <dl class="facts">
        <Fact name="phase">
          <PhaseBadge phase={phase} />{' '}
          {tx.attention === null ? null : <Badge tone="bad">needs you</Badge>}
        </Fact>
        <Fact name="name">{tx.name || '–'}</Fact>
        <Fact name="mode">{tx.mode}</Fact>
        <Fact name="started">
          <Time atMs={tx.startedAtMs} withMs />
        </Fact>
        <Fact name="decided">
          <Time atMs={tx.decidedAtMs} withMs />
        </Fact>
        <Fact name={isOpen ? 'deadline' : 'finished'}>
          <Time atMs={isOpen ? tx.deadlineAtMs : tx.finishedAtMs} withMs />
        </Fact>
        <Fact name={isOpen ? 'open for' : 'took'}>
          <Age fromMs={tx.startedAtMs} toMs={tx.finishedAtMs} />
        </Fact>
        <Fact name="cause">{causeText(tx.cause) || '–'}</Fact>
        {Object.entries(tx.labels).map(([name, value]) => (
          <Fact key={name} name={name}>
            <a href={href(['transactions'], { label: `${name}=${value}` })}>{value}</a>
          </Fact>
        ))}
      </dl>
      {mayChange && isOpen ? (
        <div class="actions" role="toolbar" aria-label="Actions">
          <button type="button" class="primary" onClick={act('retry')}>
            Retry now …
          </button>
          {phase === 'active' ? (
            <button type="button" onClick={act('rollback')}>
              Roll back …
            </button>
          ) : (
            <button type="button" onClick={act('resolve')}>
              Resolve …
            </button>
          )}
        </div>
      ) : null}
    </div>
  );
}

function Why(props: {
  readonly tx: TransactionView;
  readonly explanation: Explanation | null;
  readonly refused: Parameters<typeof Refusal>[0]['refused'] | null;
}) {
  const { tx, explanation, refused } = props;
  const { attention } = tx;
  return (
    <Panel title="Why it is where it is" class={attention === null ? '' : 'bad'}>
      {attention === null ? null : (
        <p>
          <Badge tone="bad">{attention.reason}</Badge> {attention.detail}{' '}
          <span class="faint">
            since <Time atMs={attention.atMs} />
          </span>
        </p>
      )}
      {refused === null ? null : <Refusal refused={refused} what="Explanation" />}
      {explanation === null ? null : (
        <>
          <p>{explanation.why}</p>
          <p>
            <strong>Next: </strong>
            {explanation.next}
          </p>
          {explanation.remedies.length === 0 ? null : (
            <>
              <h3>What you can do</h3>
              <ul class="remedies">
                {explanation.remedies.map(({ text, command }) => (
                  <li key={text}>
                    {text}
                    {command === null ? null : <code>{command}</code>}
                  </li>
                ))}
              </ul>
            </>
          )}
        </>
      )}
    </Panel>
  );
}
