/**
 * Who waits for whom at this moment, as nested lists: below each one those who wait for it. It asks
 * participants, so it is asked again by itself only while somebody waits.
 */
import { useRef } from 'preact/hooks';
import type { LockedTransaction, LockGraphAnswer } from '../../../client-sdk/protocol/moment.ts';
import { useAnswer } from '../answer.ts';
import { Badge, Empty, GidLink, Panel, PhaseBadge, Refusal } from '../parts/shown.tsx';
import { roughSpan } from '../wording.ts';
import { type WaitNode, waitTree } from './wait-tree.ts';

/** The panel. */
export function LockGraph() {
  const shown = useRef(0);
  const { body, refused, isLoading, again } = useAnswer<LockGraphAnswer>(
    '/v1/locks/graph',
    (heard) =>
      heard.kind === 'beat' ||
      (heard.kind === 'overview' && (heard.overview.lockWaits > 0 || shown.current > 0)),
  );
  shown.current = body?.waits.length ?? 0;
  const aside = (
    <button type="button" onClick={again}>
      Look at waits again
    </button>
  );
  return (
    <Panel title="Who waits for whom" aside={aside}>
      {refused === null ? null : <Refusal refused={refused} what="Waits" />}
      {isLoading ? <p aria-busy="true">Asking the participants …</p> : null}
      {body === null ? null : <Picture graph={body} />}
    </Panel>
  );
}

function Picture({ graph }: { graph: LockGraphAnswer }) {
  const { waits, cycles, unasked, isCut } = graph;
  return (
    <>
      {waits.length === 0 ? <Empty>Nobody waits for a lock.</Empty> : null}
      {cycles.map((cycle) => (
        <p class="notice bad" key={cycle.join(' ')}>
          <strong>In a cycle, these wait for each other: </strong>
          {cycle.map((gid) => (
            <span key={gid}>
              <GidLink gid={gid} />{' '}
            </span>
          ))}
        </p>
      ))}
      <ul class="waits" aria-label="Those who are waited for">
        {waitTree(graph).map((node) => (
          <Branch key={node.name} node={node} graph={graph} />
        ))}
      </ul>
      {unasked.map(({ who, detail }) => (
        <p class="faint" key={who}>
          {who} did not say what it holds: {detail}
        </p>
      ))}
      {isCut ? <p class="faint">There is more than is shown.</p> : null}
    </>
  );
}

function Branch({ node, graph }: { node: WaitNode; graph: LockGraphAnswer }) {
  const { gid, name, isAbove, waiters } = node;
  const found = graph.transactions.find((one) => one.gid === gid);
  return (
    <li>
      <div class={node.wait?.isInCycle === true ? 'wait cycle' : 'wait'}>
        {gid === null ? <span>{name}, of nobody that is known</span> : <GidLink gid={gid} />}
        {found === undefined ? null : <Standing found={found} graph={graph} />}
        <Reason node={node} graph={graph} />
        {isAbove ? <span class="faint">see above</span> : null}
      </div>
      {waiters.length === 0 ? null : (
        <ul aria-label={`Who waits for ${name}`}>
          {waiters.map((waiter) => (
            <Branch key={keyOf(waiter)} node={waiter} graph={graph} />
          ))}
        </ul>
      )}
    </li>
  );
}

function keyOf({ name, wait }: WaitNode): string {
  return JSON.stringify([name, wait?.kind, wait?.connection, wait?.sinceMs]);
}

/** What it waits for; at the top nothing. */
function Reason({ node: { wait }, graph }: { node: WaitNode; graph: LockGraphAnswer }) {
  if (wait === null) return null;
  const { kind, database, connection, sinceMs, isInCycle, givesWay } = wait;
  return (
    <>
      <span>
        waits <span class="mono">{roughSpan(graph.atMs - sinceMs)}</span> for{' '}
        {kind === 'lock' ? 'a lock' : 'its decision'}
        {database === null ? null : (
          <>
            {' '}
            in <strong>{database}</strong>
          </>
        )}
        {connection === null ? null : <span class="faint"> (connection {connection})</span>}
      </span>
      {isInCycle ? <Badge tone="bad">in a cycle</Badge> : null}
      {givesWay ? <Badge tone="warn">gives way</Badge> : null}
    </>
  );
}

const rowsShown = 3;

function Standing({ found, graph }: { found: LockedTransaction; graph: LockGraphAnswer }) {
  const { name, phase, startedAtMs, isWaiting, connections, rows, isRowsCut } = found;
  const texts = rows.slice(0, rowsShown).map(({ database, table, key }) => {
    return `${database} ${table} ${key}`;
  });
  const isMore = isRowsCut || rows.length > rowsShown;
  return (
    <>
      {name === null ? null : <span>{name}</span>}
      {phase === null ? <Badge>not begun</Badge> : <PhaseBadge phase={phase} />}
      {startedAtMs === null || isWaiting ? null : (
        <span>
          open for <span class="mono">{roughSpan(graph.atMs - startedAtMs)}</span>
        </span>
      )}
      {isWaiting || connections.length === 0 ? null : (
        <span class="faint">
          at work in {connections.map(({ database }) => database).join(', ')}
        </span>
      )}
      {texts.length === 0 ? null : (
        <span class="faint">
          holds {texts.join('; ')}
          {isMore ? ' …' : ''}
        </span>
      )}
    </>
  );
}
