/** Why a transaction is where it is, what comes next, and what somebody can do about it. */
import type { Explanation } from '../../../client-sdk/protocol/desk.ts';
import type { TransactionView } from '../../../client-sdk/protocol/requests.ts';
import { Age, Badge, Panel, Refusal, Time } from '../parts/shown.tsx';
import { spaced } from '../wording.ts';

/** `explanation` null: it is on its way, or was refused. */
export function Why(props: {
  readonly attention: TransactionView['attention'];
  readonly explanation: Explanation | null;
  readonly refused: Parameters<typeof Refusal>[0]['refused'] | null;
}) {
  const { attention, explanation, refused } = props;
  return (
    <Panel title="Why it is where it is" class={attention === null ? '' : 'bad'}>
      {refused === null ? null : <Refusal refused={refused} what="Explanation" />}
      <div class="why">
        <div>
          {attention === null ? null : (
            <p>
              <Badge tone="bad">needs you: {spaced(attention.reason)}</Badge>{' '}
              <span class="faint">
                for <Age fromMs={attention.atMs} toMs={null} />, since{' '}
                <Time atMs={attention.atMs} />
              </span>
            </p>
          )}
          {explanation === null ? null : (
            <>
              <p>{explanation.why}</p>
              <p>
                <strong>Next: </strong>
                {explanation.next}
              </p>
            </>
          )}
        </div>
        {explanation === null || explanation.remedies.length === 0 ? null : (
          <div>
            <h3>What you can do</h3>
            <ul class="remedies">
              {explanation.remedies.map(({ text, command }) => (
                <li key={text}>
                  {text}
                  {command === null ? null : <Command text={command} />}
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </Panel>
  );
}

/** Breaks between words only: not behind the dashes of an option or inside of a gid. */
function Command({ text }: { text: string }) {
  return (
    <code>
      {text.split(' ').map((word, at) => (
        <span key={at}>
          {at === 0 ? '' : ' '}
          <span class="word">{word}</span>
        </span>
      ))}
    </code>
  );
}
