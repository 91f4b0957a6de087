/**
 * All transactions, narrowed and sorted by the coordinator. The list follows what happens by itself;
 * while somebody points at it or has selected something it keeps its rows and their places, and
 * only says how many newer ones there are.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ListAnswer } from '../../../client-sdk/protocol/requests.ts';
import { useAnswer } from '../answer.ts';
import { withQuery } from '../ask.ts';
import { OperateDialog, type Wanted } from '../parts/operate.tsx';
import { Empty, Refusal } from '../parts/shown.tsx';
import { go, href } from '../route.ts';
import { useMayChange } from '../session.ts';
import { count, counted, type Listed } from '../wording.ts';
import { conditionsIn, isNarrowed, queryOf } from './filter.ts';
import { FilterBar } from './filter-bar.tsx';
import { SavedViews } from './saved-views.tsx';
import { TransactionRows } from './transaction-rows.tsx';

const pageSize = 50;

/** The list. `query`: of the address. */
export function TransactionsScreen({ query }: { query: URLSearchParams }) {
  const conditions = conditionsIn(query);
  const cursor = query.get('cursor') ?? undefined;
  const sort = query.get('sort') ?? undefined;
  const path = withQuery('/v1/transactions', { ...conditions, sort, cursor, limit: pageSize });
  const { body, refused, isLoading, again } = useAnswer<ListAnswer>(path);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [isPointed, setIsPointed] = useState(false);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  // While another list is on its way, the answer that is there is still that of the one before.
  const lines = isLoading ? null : (body?.transactions ?? null);
  const list = useSteadyRows(path, lines, isPointed || selected.size > 0);
  // Another list has other rows.
  useEffect(() => setSelected(new Set()), [path]);

  const next = body?.nextCursor ?? null;
  const turn = (to: string | null) => {
    const there = new URLSearchParams(query);
    if (to === null) there.delete('cursor');
    else there.set('cursor', to);
    go(href(['transactions'], there));
  };
  const close = () => {
    setWanted(null);
    setSelected(new Set());
    again();
  };
  return (
    <>
      <h1>Transactions</h1>
      <SavedViews query={query} />
      <FilterBar query={query} />
      {refused === null ? null : <Refusal refused={refused} what="The list" />}
      <div class={isLoading ? 'list stale' : 'list'} aria-busy={isLoading}>
        <ListHead rows={list.rows.length} isEnd={next === null} list={list}>
          {conditions.outcome === undefined || conditions.outcome === 'open' ? (
            <BulkBar
              selected={selected}
              isNarrowed={isNarrowed(conditions)}
              onAll={(action) => setWanted({ action, query: queryOf(conditions) })}
              onSelected={(action) => setWanted({ action, gids: [...selected] })}
              onNone={() => setSelected(new Set())}
            />
          ) : null}
        </ListHead>
        <div onPointerEnter={() => setIsPointed(true)} onPointerLeave={() => setIsPointed(false)}>
          <TransactionRows rows={list.rows} selected={selected} onSelect={setSelected} />
        </div>
        {body !== null && list.rows.length === 0 && !isLoading ? (
          <Empty>
            {next === null
              ? 'No transaction fits.'
              : 'None on this page; what one page reads is bounded, and there is more.'}
          </Empty>
        ) : null}
      </div>
      <footer class="pager">
        <span class="grow" />
        <button type="button" disabled={cursor === undefined} onClick={() => turn(null)}>
          First page
        </button>
        <button type="button" disabled={cursor === undefined} onClick={() => history.back()}>
          Back
        </button>
        <button type="button" disabled={next === null} onClick={() => turn(next)}>
          Next page
        </button>
      </footer>
      {wanted === null ? null : <OperateDialog wanted={wanted} onClose={close} />}
    </>
  );
}

function ListHead(props: {
  readonly rows: number;
  readonly isEnd: boolean;
  readonly list: { readonly waiting: number; readonly show: () => void };
  readonly children: ComponentChildren;
}) {
  const { rows, isEnd, list } = props;
  return (
    <header>
      <span role="status">
        {counted(rows, 'row')}
        {isEnd ? ', the end' : ''}
      </span>
      {list.waiting === 0 ? null : (
        <button type="button" onClick={list.show}>
          {count(list.waiting)} newer: show
        </button>
      )}
      <span class="grow" />
      {props.children}
    </header>
  );
}

interface Row {
  readonly line: Listed;
  /** It does not fit any more; it stays in its place until nobody points at the list. */
  readonly isGone: boolean;
}

/** The rows of the newest answer, or those from before in their places with what is new of them. */
function useSteadyRows(path: string, lines: readonly Listed[] | null, isHeld: boolean) {
  const shown = useRef<{ path: string; rows: readonly Row[] }>({ path: '', rows: [] });
  const [, render] = useState(0);
  const fresh = (lines ?? []).map((line) => ({ line, isGone: false }));
  if (lines !== null && (!isHeld || shown.current.path !== path)) {
    shown.current = { path, rows: fresh };
  }
  const byGid = new Map((lines ?? []).map((line) => [line.gid, line]));
  const rows = shown.current.rows.map((row) => {
    const line = byGid.get(row.line.gid);
    return line === undefined
      ? { line: row.line, isGone: lines !== null }
      : { line, isGone: false };
  });
  const known = new Set(rows.map(({ line }) => line.gid));
  return {
    rows,
    waiting: fresh.filter(({ line }) => !known.has(line.gid)).length,
    show: () => {
      shown.current = { path, rows: fresh };
      render((times) => times + 1);
    },
  };
}

type BulkAction = 'retry' | 'rollback' | 'resolve';
const bulkActions: readonly (readonly [BulkAction, string])[] = [
  ['retry', 'Retry'],
  ['rollback', 'Roll back'],
  ['resolve', 'Count as done'],
];

function BulkBar(props: {
  readonly selected: ReadonlySet<string>;
  readonly isNarrowed: boolean;
  readonly onSelected: (action: BulkAction) => void;
  readonly onAll: (action: BulkAction) => void;
  readonly onNone: () => void;
}) {
  const mayChange = useMayChange();
  if (!mayChange) return null;
  const isAll = props.selected.size === 0;
  const act = isAll ? props.onAll : props.onSelected;
  // Asking again does no harm; the others are not for everything that is open.
  const offered = bulkActions.filter(([action]) => {
    return !isAll || props.isNarrowed || action === 'retry';
  });
  return (
    <div class="bulk" role="toolbar" aria-label="Bulk actions">
      <span>
        {isAll
          ? `All open ones${props.isNarrowed ? ' that fit' : ''}:`
          : `${counted(props.selected.size, 'row')} selected:`}
      </span>
      {offered.map(([action, name]) => (
        <button type="button" key={action} onClick={() => act(action)}>
          {name} …
        </button>
      ))}
      {isAll ? null : (
        <button type="button" class="quiet" onClick={props.onNone}>
          Select none
        </button>
      )}
    </div>
  );
}
