/** Services that take part: who is connected, what they owe, and whether they get calls. */
import { useState } from 'preact/hooks';
import type { ParticipantsAnswer, ParticipantView } from '../../../client-sdk/protocol/desk.ts';
import { useAnswer } from '../answer.ts';
import { tell } from '../ask.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Age, Badge, Empty, Panel, Refusal, Table } from '../parts/shown.tsx';
import { href } from '../route.ts';
import { useMayChange } from '../session.ts';
import { count, counted, undoneWords } from '../wording.ts';
import { type Pinging, Pings, usePinging } from './ping.tsx';

/** The screen. */
export function ParticipantsScreen() {
  const { body, refused, again } = useAnswer<ParticipantsAnswer>('/v1/participants');
  const participants = body?.participants ?? [];
  const mayChange = useMayChange();
  const pinging = usePinging();
  const [changing, setChanging] = useState<ParticipantView | null>(null);
  const heads = [
    'service',
    'instances',
    'methods',
    'in flight',
    'owes',
    'oldest',
    'last error',
    '',
  ];
  return (
    <>
      <h1>Participants</h1>
      {refused === null ? null : <Refusal refused={refused} what="Participants" />}
      {body === null ? null : (
        <Panel title="Services" class="flush" aside={<PingButton pinging={pinging} name={null} />}>
          <Table label="Participants" class="participants" heads={heads}>
            {participants.map((participant) => (
              <tr key={participant.service} data-row>
                <td>
                  <a
                    href={href(['transactions'], { service: participant.service, outcome: 'open' })}
                  >
                    {participant.service}
                  </a>
                </td>
                <td>
                  <Standing participant={participant} />
                </td>
                <td class="mono">{methodsOf(participant)}</td>
                <td class="number">
                  {count(participant.instances.reduce((sum, each) => sum + each.callsInFlight, 0))}
                </td>
                <td class="number">{count(participant.owed)}</td>
                <td>
                  {participant.oldestOwedAtMs === null ? null : (
                    <Age fromMs={participant.oldestOwedAtMs} toMs={null} />
                  )}
                </td>
                <td class="error-text">{participant.lastError ?? ''}</td>
                <td>
                  <PingButton pinging={pinging} name={participant.service} />{' '}
                  {mayChange ? (
                    <button type="button" onClick={() => setChanging(participant)}>
                      {participant.isDrained ? 'Undrain' : 'Drain'} …
                    </button>
                  ) : null}
                </td>
              </tr>
            ))}
          </Table>
        </Panel>
      )}
      {body !== null && participants.length === 0 ? (
        <Empty>No service is connected, and none owes anything.</Empty>
      ) : null}
      <Pings pinging={pinging} />
      {changing === null ? null : (
        <DrainDialog
          participant={changing}
          onClose={() => {
            setChanging(null);
            again();
          }}
        />
      )}
    </>
  );
}

/** Null: all of them, and the addresses of open transactions. */
function PingButton({ pinging, name }: { pinging: Pinging; name: string | null }) {
  const label = name === null ? 'Ping all' : `Ping ${name}`;
  return (
    <button
      type="button"
      aria-label={label}
      disabled={pinging.isBusy}
      onClick={() => pinging.ping(name)}
    >
      {name === null ? label : 'Ping'}
    </button>
  );
}

function Standing({
  participant: { instances, isDrained, owed },
}: {
  participant: ParticipantView;
}) {
  if (isDrained) return <Badge tone="warn">drained, {counted(instances.length, 'instance')}</Badge>;
  if (instances.length > 0) {
    return <Badge tone="good">{counted(instances.length, 'instance')}</Badge>;
  }
  return <Badge tone={owed > 0 ? 'bad' : 'plain'}>not connected</Badge>;
}

function methodsOf({ instances }: ParticipantView): string {
  return [...new Set(instances.flatMap(({ methods }) => methods))].sort().join(', ');
}

function DrainDialog(props: {
  readonly participant: ParticipantView;
  readonly onClose: () => void;
}) {
  const { service, isDrained, owed } = props.participant;
  const verb = isDrained ? 'undrain' : 'drain';
  const act = async (reason: string) => {
    const path = `/v1/participants/${encodeURIComponent(service)}/${verb}`;
    const answer = await tell<unknown>(path, { reason });
    if (!answer.ok)
      return (
        <Refusal refused={answer.refused} what={undoneWords(answer.refused, 'Nothing was done')} />
      );
    return <p>{isDrained ? `${service} gets calls again.` : `${service} gets no new calls.`}</p>;
  };
  return (
    <Confirm
      title={`${isDrained ? 'Undrain' : 'Drain'} ${service}`}
      verb={isDrained ? 'Undrain' : 'Drain'}
      isDangerous={!isDrained}
      isReady
      preview={
        <p>
          {isDrained
            ? `It gets calls again; ${counted(owed, 'operation')} waits for it.`
            : 'It gets no new calls until it is undrained. What it owes waits, and its transactions stay open.'}
        </p>
      }
      act={act}
      onClose={props.onClose}
    />
  );
}
