/**
 * Reads the records of the log back, a page at a time, newest first, and lists those that cannot be
 * read as they must. Guards: it stops when it is told to, when the screen is left, and at the first
 * page that is not answered; what was not read is never called right.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LogVerdict } from '../../../client-sdk/protocol/desk.ts';
import { look, type Refused, withQuery } from '../ask.ts';
import { GidLink, Refusal } from '../parts/shown.tsx';
import { counted } from '../wording.ts';

const pageSize = 500;

interface Reading {
  readonly state: 'reading' | 'stopped' | 'done';
  readonly checked: number;
  readonly faults: LogVerdict['faults'];
  readonly refused: Refused | null;
}

/** The button, and how far it is. */
export function LogVerify() {
  const [reading, setReading] = useState<Reading | null>(null);
  const turn = useRef(0);
  useEffect(() => () => void turn.current++, []);
  const stop = () => {
    turn.current++;
    setReading((now) => (now === null ? null : { ...now, state: 'stopped' }));
  };
  const start = async () => {
    const own = ++turn.current;
    let now: Reading = { state: 'reading', checked: 0, faults: [], refused: null };
    setReading(now);
    let after: string | undefined;
    while (now.state === 'reading') {
      const answer = await look<LogVerdict>(
        withQuery('/v1/log/verify', { limit: pageSize, after }),
      );
      if (own !== turn.current) return;
      now = withPage(now, answer);
      setReading(now);
      after = answer.ok ? (answer.body.next ?? undefined) : undefined;
    }
  };
  const isReading = reading?.state === 'reading';
  return (
    <div class="verify">
      <button type="button" onClick={isReading ? stop : start}>
        {isReading ? 'Stop' : 'Read all records back'}
      </button>
      <div role="status">{reading === null ? null : <Progress reading={reading} />}</div>
    </div>
  );
}

function withPage(now: Reading, answer: Awaited<ReturnType<typeof look<LogVerdict>>>): Reading {
  if (!answer.ok) return { ...now, state: 'stopped', refused: answer.refused };
  const { checked, faults, next } = answer.body;
  return {
    ...now,
    state: next === null ? 'done' : 'reading',
    checked: now.checked + checked,
    faults: [...now.faults, ...faults],
  };
}

function Progress({ reading: { state, checked, faults, refused } }: { reading: Reading }) {
  const read = `${counted(checked, 'transaction')} read`;
  if (refused !== null) return <Refusal refused={refused} what={`Stopped, ${read}`} />;
  const rest = state === 'reading' ? ' …' : state === 'stopped' ? ', not all of them' : '';
  if (faults.length === 0) {
    const isWhole = state === 'done';
    return (
      <p class={`notice ${isWhole ? 'good' : ''}`}>
        {isWhole ? `All is as it must be: ${read}.` : `${read}${rest}; nothing wrong so far.`}
      </p>
    );
  }
  return (
    <div class="notice bad">
      {read}
      {rest}: {counted(faults.length, 'fault')}.
      <ul>
        {faults.map(({ gid, what }) => (
          <li key={gid + what}>
            <GidLink gid={gid} />: {what}
          </li>
        ))}
      </ul>
    </div>
  );
}
