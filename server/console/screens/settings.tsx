/** How this coordinator is set up and where each setting comes from, and how this browser shows it. */
import { useContext, useState } from 'preact/hooks';
import type { ConfigView } from '../../../client-sdk/protocol/desk.ts';
import { isName } from '../../../client-sdk/protocol/limits.ts';
import { useAnswer } from '../answer.ts';
import { Badge, Fact, Loading, Panel, Refusal, Table } from '../parts/shown.tsx';
import { chooseTheme, operatorName, rememberOperator, type Theme, theme } from '../preferences.ts';
import { SessionContext } from '../session.ts';
import { span } from '../wording.ts';

const themes: readonly (readonly [Theme, string])[] = [
  ['auto', 'as the system has it'],
  ['light', 'light'],
  ['dark', 'dark'],
];

/** The screen. */
export function SettingsScreen() {
  return (
    <>
      <h1>Settings</h1>
      <Panel title="You">
        <You />
      </Panel>
      <Panel title="This coordinator" class="flush">
        <Config />
      </Panel>
    </>
  );
}

function You() {
  const session = useContext(SessionContext);
  const [chosen, setChosen] = useState(theme);
  const [name, setName] = useState(operatorName);
  const choose = (next: Theme) => {
    chooseTheme(next);
    setChosen(next);
  };
  const rename = (next: string) => {
    setName(next);
    if (next === '' || isName(next)) rememberOperator(next);
  };
  return (
    <>
      <dl class="facts">
        <Fact name="who">{session?.who}</Fact>
        <Fact name="role">
          {session?.role === 'anyone' ? 'anyone: no tokens are set up' : session?.role}
        </Fact>
        <Fact name="this desk">
          {session?.isReadOnly === true ? (
            <Badge tone="warn">read-only</Badge>
          ) : (
            'takes changes, on the record'
          )}
        </Fact>
      </dl>
      <fieldset>
        <legend>Theme</legend>
        {themes.map(([value, words]) => (
          <label key={value} class="check">
            <input
              type="radio"
              name="theme"
              checked={chosen === value}
              onChange={() => choose(value)}
            />
            {words}
          </label>
        ))}
      </fieldset>
      {session?.role === 'anyone' ? (
        <label class="short">
          Your name, for the audit
          <input
            value={name}
            placeholder="anonymous"
            aria-invalid={name !== '' && !isName(name)}
            onInput={(event) => rename(event.currentTarget.value)}
          />
        </label>
      ) : null}
    </>
  );
}

function Config() {
  const { body, refused } = useAnswer<ConfigView>('/v1/config', () => false);
  return (
    <>
      {refused === null ? null : <Refusal refused={refused} what="Configuration" />}
      {body === null && refused === null ? <Loading /> : null}
      {body === null ? null : (
        <Table label="Settings of the coordinator" heads={['setting', 'value', 'from']}>
          {body.settings.map(({ name, value, origin }) => (
            <tr key={name} data-row>
              <th scope="row" class="mono">
                {name}
              </th>
              <td>
                <Value name={name} value={value} />
              </td>
              <td>
                <Badge tone={origin === 'default' ? 'plain' : 'busy'}>{origin}</Badge>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

/** As it was set; a time in ms in words, too. */
function Value({ name, value }: Pick<ConfigView['settings'][number], 'name' | 'value'>) {
  if (value === null) return <span class="faint">–</span>;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const isTime = name.endsWith('Ms') && typeof value === 'number' && value >= 1_000;
  return (
    <>
      <span class="mono">{text}</span> {isTime ? <span class="faint">({span(value)})</span> : null}
    </>
  );
}
