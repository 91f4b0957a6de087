/** What participants answer when they are asked whether they are there, with the times that they took. */
import { useState } from 'preact/hooks';
import type { PingAnswer, PingView } from '../../../client-sdk/protocol/moment.ts';
import { type Answered, look, withQuery } from '../ask.ts';
import { Badge, Empty, Panel, Refusal, Table, type Tone } from '../parts/shown.tsx';

/** A ping that a component can start, and what came of the newest one. */
export interface Pinging {
  readonly answered: Answered<PingAnswer> | null;
  readonly isBusy: boolean;
  /** Null: everybody. One at a time. */
  readonly ping: (name: string | null) => void;
}

/** Nobody is asked before `ping` is called. */
export function usePinging(): Pinging {
  const [answered, setAnswered] = useState<Answered<PingAnswer> | null>(null);
  const [isBusy, setBusy] = useState(false);
  const ping = async (name: string | null) => {
    setBusy(true);
    setAnswered(await look(withQuery('/v1/participants/ping', { name: name ?? undefined })));
    setBusy(false);
  };
  return { answered, isBusy, ping: (name) => void ping(name) };
}

/** The figures; nothing before the first ping. */
export function Pings({ pinging: { answered, isBusy } }: { pinging: Pinging }) {
  return (
    <div aria-live="polite">
      {isBusy ? <p aria-busy="true">Asking …</p> : null}
      {answered === null ? null : (
        <Panel title="Ping" class="flush">
          {answered.ok ? (
            <Figures answer={answered.body} />
          ) : (
            <Refusal refused={answered.refused} what="Ping" />
          )}
        </Panel>
      )}
    </div>
  );
}

const heads = ['participant', 'instance', 'round trip', 'version', 'answer'];

function Figures({ answer: { pings, left } }: { answer: PingAnswer }) {
  if (pings.length === 0) return <Empty>There is nobody to be asked.</Empty>;
  return (
    <>
      <Table label="Answers to the ping" heads={heads}>
        {pings.map((each, at) => (
          <tr key={at}>
            <td>{each.name}</td>
            <td class="mono">{each.instance ?? '–'}</td>
            <td class="number">
              {each.roundTripMs === null ? '–' : `${each.roundTripMs.toFixed(1)} ms`}
            </td>
            <td class="mono">{each.version ?? '–'}</td>
            <td>
              <Badge tone={tones[each.outcome]}>{words[each.outcome]}</Badge> {each.detail ?? ''}
            </td>
          </tr>
        ))}
      </Table>
      {left === 0 ? null : <p class="faint">{left} more were not asked.</p>}
    </>
  );
}

type Outcome = PingView['outcome'];

const words: Readonly<Record<Outcome, string>> = {
  answered: 'is there',
  unsupported: 'is there',
  noAnswer: 'silent',
  unreachable: 'not connected',
};
const tones: Readonly<Record<Outcome, Tone>> = {
  answered: 'good',
  unsupported: 'plain',
  noAnswer: 'warn',
  unreachable: 'bad',
};
