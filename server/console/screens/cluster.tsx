/** Coordinators, the shards of the log that each of them owns, and how the log itself is doing. */
import type { LogView, NodesAnswer, ShardsAnswer } from '../../../client-sdk/protocol/desk.ts';
import { useAnswer } from '../answer.ts';
import { Badge, Empty, Fact, Loading, Panel, Refusal, Table, Time } from '../parts/shown.tsx';
import { count, counted, percentileText } from '../wording.ts';
import { LogVerify } from './log-verify.tsx';

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
      {body === null && refused === null ? <Loading /> : null}
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
      {body === null && refused === null ? <Loading /> : null}
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
            {body.logMs === null
              ? '–'
              : `${percentileText(body.logMs.p50)} / ${percentileText(body.logMs.p99)}`}
          </Fact>
        </dl>
      )}
      <LogVerify />
    </Panel>
  );
}

function Shards() {
  const { body, refused } = useAnswer<ShardsAnswer>('/v1/shards');
  const shards = body?.shards ?? [];
  const open = shards.reduce((sum, shard) => sum + shard.open, 0);
  const owners = new Set(shards.map(({ node }) => node));
  const aside = (
    <span class="faint">
      {count(open)} open in {counted(shards.length, 'shard')} of {counted(owners.size, 'node')}
    </span>
  );
  return (
    <Panel title="Shards" aside={aside}>
      {refused === null ? null : <Refusal refused={refused} what="Shards" />}
      {body === null && refused === null ? <Loading /> : null}
      {body !== null && shards.length === 0 ? <Empty>No shard is owned.</Empty> : null}
      <ul class="shards">
        {shards.map((shard) => (
          <Shard key={shard.shard} shard={shard} isOneNode={owners.size === 1} />
        ))}
      </ul>
    </Panel>
  );
}

function Shard(props: {
  readonly shard: ShardsAnswer['shards'][number];
  readonly isOneNode: boolean;
}) {
  const { shard, node, open, attention } = props.shard;
  const tone = attention > 0 ? 'bad' : open > 0 ? 'busy' : 'plain';
  const needs = attention === 0 ? '' : `, ${attention} of them need you`;
  return (
    <li class={tone} title={`${node} owns shard ${shard}: ${count(open)} open${needs}`}>
      <span class="faint">{shard}</span>
      {props.isOneNode ? null : <small class="faint">{node}</small>}
      {attention === 0 ? null : <small>{count(attention)} for you of</small>}
      <b>{count(open)}</b>
    </li>
  );
}
