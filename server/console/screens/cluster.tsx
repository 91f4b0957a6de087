/** Coordinators, the shards of the log that each of them owns, and how the log itself is doing. */
import type { LogView, NodesAnswer, ShardsAnswer } from '../../../client-sdk/protocol/desk.ts';
import { useAnswer } from '../answer.ts';
import { Badge, Empty, Fact, Panel, Refusal, Table, Time } from '../parts/shown.tsx';
import { count, span } from '../wording.ts';

/** The screen. */
export function ClusterScreen() {
  return (
    <>
      <h1>Shards and nodes</h1>
      <Nodes />
      <Log />
      <Shards />
    </>
  );
}

function Nodes() {
  const { body, refused } = useAnswer<NodesAnswer>('/v1/nodes');
  return (
    <Panel title="Nodes" class="flush">
      {refused === null ? null : <Refusal refused={refused} what="Nodes" />}
      {body === null ? null : (
        <Table label="Nodes" heads={['node', 'address', 'term', 'state', 'version', 'started']}>
          {body.nodes.map((node) => (
            <tr key={node.node} data-row>
              <td>
                {node.node} {node.isThis ? <Badge>this one</Badge> : null}
              </td>
              <td class="mono">{node.address}</td>
              <td class="number">{node.epoch}</td>
              <td>
                <Badge tone={node.state === 'running' ? 'good' : 'warn'}>{node.state}</Badge>
              </td>
              <td class="mono">{node.version}</td>
              <td>
                <Time atMs={node.startedAtMs} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

function Log() {
  const { body, refused } = useAnswer<LogView>('/v1/log');
  return (
    <Panel title="Log">
      {refused === null ? null : <Refusal refused={refused} what="Log" />}
      {body === null ? null : (
        <dl class="facts">
          <Fact name="where">
            <span class="mono">{body.url}</span>
          </Fact>
          <Fact name="term">{body.epoch}</Fact>
          <Fact name="commits">{count(body.commits)}</Fact>
          <Fact name="rows">{count(body.rows)}</Fact>
          <Fact name="rows that wait">{count(body.pendingRows)}</Fact>
          <Fact name="unknown appends">{count(body.unknownAppends)}</Fact>
          <Fact name="conflicts">{count(body.conflicts)}</Fact>
          <Fact name="append, p50 / p99">
            {body.logMs === null ? '–' : `${span(body.logMs.p50)} / ${span(body.logMs.p99)}`}
          </Fact>
        </dl>
      )}
    </Panel>
  );
}

function Shards() {
  const { body, refused } = useAnswer<ShardsAnswer>('/v1/shards');
  const shards = body?.shards ?? [];
  const most = Math.max(1, ...shards.map(({ open }) => open));
  return (
    <Panel title="Shards">
      {refused === null ? null : <Refusal refused={refused} what="Shards" />}
      {body !== null && shards.length === 0 ? <Empty>No shard is owned.</Empty> : null}
      <ul class="shards">
        {shards.map(({ shard, node, open, attention }) => (
          <li key={shard} class={attention > 0 ? 'bad' : ''} title={`${node} owns shard ${shard}`}>
            <span class="faint">{shard}</span>
            <meter min={0} max={most} value={open} aria-label={`Shard ${shard}: ${open} open`} />
            <b>{count(open)}</b>
            {attention > 0 ? <Badge tone="bad">{attention} need you</Badge> : null}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
