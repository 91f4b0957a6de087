/** Who are you: a token becomes a session that no script can read. The token is not kept here. */
import { useState } from 'preact/hooks';
import type { SessionView } from '../../../client-sdk/protocol/desk.ts';
import { type Refused, tell } from '../ask.ts';
import { Refusal } from '../parts/shown.tsx';

/** Shown when the coordinator does not know who asks. */
export function LoginScreen({ onLogin }: { onLogin: (session: SessionView) => void }) {
  const [token, setToken] = useState('');
  const [refused, setRefused] = useState<Refused | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const answer = await tell<SessionView>('/v1/session', { token });
    setToken('');
    if (answer.ok) return onLogin(answer.body);
    setRefused(answer.refused);
  };
  return (
    <main class="login">
      <form onSubmit={submit}>
        <h1>Settle</h1>
        <label>
          Token
          <input
            type="password"
            name="token"
            autocomplete="current-password"
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
            required
          />
        </label>
        <button type="submit" class="primary">
          Log in
        </button>
        {refused === null ? null : <Refusal refused={refused} what="Not logged in" />}
        <p class="faint">
          A viewer may look, an operator may change. <code>settle token</code> makes one.
        </p>
      </form>
    </main>
  );
}
