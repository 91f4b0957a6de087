/**
 * One transaction: where it is and why, what can be done, and everything that has happened. It follows
 * by itself for as long as it is open.
 */
import { useMemo, useRef, useState } from 'preact/hooks';
import type { Explanation, TimelineAnswer } from '../../../client-sdk/protocol/desk.ts';
import type { BranchView, TransactionView } from '../../../client-sdk/protocol/requests.ts';
import { type Shown, useAnswer } from '../answer.ts';
import type { Heard } from '../live.ts';
import { OperateDialog, type Wanted } from '../parts/operate.tsx';
import { Badge, Loading, Panel, Refusal } from '../parts/shown.tsx';
import { href } from '../route.ts';
import { isFinished } from '../wording.ts';
import { BranchTable } from './branch-table.tsx';
import { Gantt, Legend } from './gantt.tsx';
import { Records } from './records.tsx';
import { Head } from './transaction-head.tsx';
import { UndoPanel } from './undo.tsx';
import { Why } from './why.tsx';

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
  // The explanation changes each second; a table of 256 rows does not.
  const branches = useMemo(
    () =>
      tx === null ? null : (
        <BranchTable tx={tx} onSkip={(branch) => setWanted(skipOf(tx, branch))} />
      ),
    [tx],
  );
  const hasUndo = tx?.branches.some(({ kind }) => kind === 'at') === true;
  const undo = hasUndo ? <UndoPanel gid={gid} query={query} onDone={close} /> : null;
  // What somebody has to decide about stands before what there is to read, and then stays there: a
  // panel that moved would take with it the dialog that somebody is writing in.
  const hasRolledBack = useRef(false);
  hasRolledBack.current ||= tx?.phase === 'rollingBack';
  const isUndoFirst = hasRolledBack.current;
  return (
    <>
      <p class="crumbs">
        <a href={href(['transactions'])}>Transactions</a> /
      </p>
      <h1 class="mono">{gid}</h1>
      {tx === null && view.refused === null ? <Loading /> : null}
      {view.refused === null ? null : (
        <Refused refused={view.refused} explanation={explanation} timeline={timeline} />
      )}
      {tx === null ? null : (
        <>
          <Head tx={tx} onAct={setWanted} />
          <Why
            attention={tx.attention}
            explanation={explanation.body}
            refused={explanation.refused}
          />
          {isUndoFirst ? undo : null}
          <Panel title="Timeline" class="flush" aside={<Legend />}>
            {timeline.refused === null ? null : (
              <Refusal refused={timeline.refused} what="Timeline" />
            )}
            <Gantt tx={tx} entries={timeline.body?.entries ?? []} />
          </Panel>
          <Panel title={tx.mode === 'saga' ? 'Steps' : 'Branches'} class="flush">
            {branches}
          </Panel>
          {isUndoFirst ? null : undo}
          {timeline.body === null ? null : <Records entries={timeline.body.entries} />}
        </>
      )}
      {wanted === null ? null : <OperateDialog wanted={wanted} onClose={close} />}
    </>
  );
}

/** Code of a view whose records this version does not know. */
const unreadable = 'INTERNAL';

/** It cannot be shown; of one that cannot be read it is told all the same what stands in the log. */
function Refused(props: {
  readonly refused: Parameters<typeof Refusal>[0]['refused'];
  readonly explanation: Shown<Explanation>;
  readonly timeline: Shown<TimelineAnswer>;
}) {
  const { refused } = props;
  const explanation = props.explanation.body;
  const timeline = props.timeline.body;
  if (refused.code !== unreadable || explanation === null) {
    return <Refusal refused={refused} what="Transaction" />;
  }
  return (
    <>
      <p>
        <Badge tone="bad">needs you: unreadable</Badge>
      </p>
      <Why attention={null} explanation={explanation} refused={null} />
      {timeline === null ? null : <Records entries={timeline.entries} />}
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
