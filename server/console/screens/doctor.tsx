/**
 * What the doctor finds: problems first, each with its remedy. It asks the log's database and the
 * participants, so it looks when it is told to, and never by itself.
 */
import { useState } from 'preact/hooks';
import type { DoctorAnswer, Finding } from '../../../client-sdk/protocol/desk.ts';
import { type Answered, look } from '../ask.ts';
import { Badge, Panel, Refusal, Time, type Tone } from '../parts/shown.tsx';
import { counted } from '../wording.ts';

const levels: Readonly<Record<Finding['level'], { readonly word: string; readonly tone: Tone }>> = {
  problem: { word: 'problem', tone: 'bad' },
  note: { word: 'note', tone: 'warn' },
  ok: { word: 'in order', tone: 'good' },
};

/** The panel, with the button that begins it. */
export function DoctorPanel() {
  const [answer, setAnswer] = useState<Answered<DoctorAnswer> | 'asking' | null>(null);
  const examine = async () => {
    setAnswer('asking');
    setAnswer(await look<DoctorAnswer>('/v1/doctor'));
  };
  const isAsking = answer === 'asking';
  const button = (
    <button type="button" onClick={examine} disabled={isAsking}>
      {answer === null ? 'Examine' : 'Examine again'}
    </button>
  );
  return (
    <Panel title="Doctor" aside={button}>
      <div role="status" aria-busy={isAsking}>
        {answer === null ? (
          <p class="faint">
            Looks the installation over: the log and its database, the audit, access, callbacks,
            participants. It changes nothing and takes some seconds.
          </p>
        ) : null}
        {isAsking ? <p class="faint">Looking it over …</p> : null}
        {answer === null || isAsking ? null : <Findings answer={answer} />}
      </div>
    </Panel>
  );
}

function Findings({ answer }: { answer: Answered<DoctorAnswer> }) {
  if (!answer.ok) return <Refusal refused={answer.refused} what="Not examined" />;
  const { atMs, findings } = answer.body;
  const of = (level: Finding['level']) => findings.filter((one) => one.level === level);
  const [problems, notes, fine] = [of('problem'), of('note'), of('ok')];
  return (
    <>
      <p>
        <strong class={problems.length > 0 ? 'warn-text' : ''}>
          {counted(problems.length, 'problem')}
        </strong>
        , {counted(notes.length, 'note')}, {fine.length} in order,{' '}
        <span class="faint">
          as of <Time atMs={atMs} />
        </span>
      </p>
      <FindingList findings={[...problems, ...notes]} />
      {fine.length === 0 ? null : (
        <details>
          <summary>What is in order</summary>
          <FindingList findings={fine} />
        </details>
      )}
    </>
  );
}

function FindingList({ findings }: { findings: readonly Finding[] }) {
  return (
    <ul class="findings">
      {findings.map(({ check, level, seen, remedy }) => (
        <li key={check + seen} data-row>
          <Badge tone={levels[level].tone}>{levels[level].word}</Badge>
          <code>{check}</code>
          <div>
            <p>{seen}</p>
            {remedy === null ? null : (
              <p class="remedy">
                <span aria-hidden="true">→ </span>
                {remedy}
              </p>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
