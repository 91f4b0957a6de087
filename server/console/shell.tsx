/**
 * The frame around every screen: who is here, where one can go, whether what is shown is live. It
 * asks who we are first; a coordinator that does not know us shows the login and nothing else.
 */
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { SessionView } from '../../client-sdk/protocol/desk.ts';
import { look, type Refused, sessionOver, take } from './ask.ts';
import { type Live, LiveContext, type LiveState, useHeard } from './live.ts';
import { Dialog } from './parts/dialog.tsx';
import { useKeys } from './parts/keys.ts';
import { Refusal } from './parts/shown.tsx';
import { followLinks, go, href, type Place, usePlace } from './route.ts';
import { AuditScreen } from './screens/audit.tsx';
import { ClusterScreen } from './screens/cluster.tsx';
import { LocksScreen } from './screens/locks.tsx';
import { LoginScreen } from './screens/login.tsx';
import { OverviewScreen } from './screens/overview.tsx';
import { ParticipantsScreen } from './screens/participants.tsx';
import { SettingsScreen } from './screens/settings.tsx';
import { TransactionScreen } from './screens/transaction.tsx';
import { TransactionsScreen } from './screens/transactions.tsx';
import { SessionContext } from './session.ts';
import { count } from './wording.ts';

const screens = [
  { path: 'overview', name: 'Overview', key: 'o' },
  { path: 'transactions', name: 'Transactions', key: 't' },
  { path: 'locks', name: 'Locks', key: 'l' },
  { path: 'participants', name: 'Participants', key: 'p' },
  { path: 'cluster', name: 'Shards and nodes', key: 'n' },
  { path: 'audit', name: 'Audit', key: 'a' },
  { path: 'settings', name: 'Settings', key: 's' },
] as const;

const keys: readonly (readonly [string, string])[] = [
  ['/', 'search'],
  ['j, k', 'next row, row before'],
  ['Enter', 'open the row'],
  ['x', 'select the row'],
  ['Esc', 'leave the field, close, or go back'],
  ...screens.map(({ key, name }) => [`g ${key}`, name] as const),
  ['?', 'this help'],
];

type Who =
  | { readonly kind: 'asking' }
  | { readonly kind: 'stranger' }
  | { readonly kind: 'lost'; readonly refused: Refused }
  | { readonly kind: 'known'; readonly session: SessionView };

const askAgainMs = 3_000;

/** The whole page. */
export function Shell({ openLive }: { openLive: () => Live }) {
  const [who, setWho] = useState<Who>({ kind: 'asking' });
  const ask = useCallback(async () => {
    const answer = await look<SessionView>('/v1/session');
    if (answer.ok) return setWho({ kind: 'known', session: answer.body });
    const { refused } = answer;
    if (refused.status === 401) return setWho({ kind: 'stranger' });
    setWho({ kind: 'lost', refused });
    setTimeout(ask, askAgainMs);
  }, []);
  useEffect(() => {
    void ask();
    const again = () => void ask();
    addEventListener(sessionOver, again);
    return () => removeEventListener(sessionOver, again);
  }, [ask]);
  switch (who.kind) {
    case 'asking':
      return <main aria-busy="true" />;
    case 'stranger':
      return <LoginScreen onLogin={(session) => setWho({ kind: 'known', session })} />;
    case 'lost':
      return (
        <main class="login">
          <Refusal refused={who.refused} what="No coordinator" />
        </main>
      );
    case 'known':
      return <Frame session={who.session} openLive={openLive} onLogout={() => void ask()} />;
    default:
      return who satisfies never;
  }
}

function Frame(props: {
  readonly session: SessionView;
  readonly openLive: () => Live;
  readonly onLogout: () => void;
}) {
  const { session } = props;
  const place = usePlace();
  const live = useMemo(props.openLive, [props.openLive]);
  useEffect(() => () => live.close(), [live]);
  const [isHelp, setIsHelp] = useState(false);
  useKeys({
    help: () => setIsHelp(true),
    screen: (letter) => {
      const found = screens.find(({ key }) => key === letter);
      if (found !== undefined) go(href([found.path]));
    },
    back: () => {
      if (location.pathname.split('/').length > 3) history.back();
    },
  });
  const logout = async () => {
    await take('/v1/session');
    props.onLogout();
  };
  const at = place.parts[0] ?? 'overview';
  const title = screens.find(({ path }) => path === at)?.name ?? 'Not found';
  useEffect(() => {
    document.title = [place.parts[1], title, 'Settle'].filter(Boolean).join(' · ');
  }, [place, title]);
  return (
    <SessionContext.Provider value={session}>
      <LiveContext.Provider value={live}>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: it catches clicks of links, keys make them too */}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the same */}
        <div class="frame" onClick={followLinks}>
          <a class="skip" href="#screen" target="_self">
            To the screen
          </a>
          <nav aria-label="Screens">
            <a class="brand" href={href(['overview'])}>
              Settle
            </a>
            {screens.map(({ path, name }) => (
              <a key={path} href={href([path])} aria-current={path === at ? 'page' : undefined}>
                {name}
                {path === 'transactions' ? <NeedsYou /> : null}
              </a>
            ))}
            <footer>
              <LiveSign live={live} />
              <button type="button" class="quiet" onClick={() => setIsHelp(true)}>
                Keys <kbd>?</kbd>
              </button>
              <span class="faint who">
                {session.role === 'anyone' ? 'no login needed' : `${session.who} (${session.role})`}
              </span>
              {session.needsLogin ? (
                <button type="button" class="quiet" onClick={logout}>
                  Log out
                </button>
              ) : null}
            </footer>
          </nav>
          <main id="screen" tabIndex={-1}>
            {session.isReadOnly ? (
              <p class="notice">This desk is read-only: look, and change nothing.</p>
            ) : null}
            <Screen place={place} />
          </main>
        </div>
        {isHelp ? <Help onClose={() => setIsHelp(false)} /> : null}
      </LiveContext.Provider>
    </SessionContext.Provider>
  );
}

function Screen({ place }: { place: Place }) {
  const [at = 'overview', gid] = place.parts;
  switch (at) {
    case 'overview':
      return <OverviewScreen />;
    case 'transactions':
      if (gid === undefined) return <TransactionsScreen query={place.query} />;
      return <TransactionScreen key={gid} gid={gid} query={place.query} />;
    case 'locks':
      return <LocksScreen query={place.query} />;
    case 'participants':
      return <ParticipantsScreen />;
    case 'cluster':
      return <ClusterScreen />;
    case 'audit':
      return <AuditScreen query={place.query} />;
    case 'settings':
      return <SettingsScreen />;
    default:
      return (
        <>
          <h1>Not found</h1>
          <p>
            There is no such screen. <a href={href(['overview'])}>To the overview</a>
          </p>
        </>
      );
  }
}

/** How many need a human, as the stream tells; on every screen, for it is why people are here. */
function NeedsYou() {
  const [attention, setAttention] = useState(0);
  useHeard((heard) => {
    if (heard.kind === 'overview') setAttention(heard.overview.attention);
  });
  if (attention === 0) return null;
  const words = attention === 1 ? 'needs you' : 'need you';
  return (
    <span class="count" title={`${attention} ${words}`}>
      {count(attention)}
      <span class="unseen"> {words}</span>
    </span>
  );
}

const liveWords: Readonly<Record<LiveState, string>> = {
  live: 'live',
  beat: 'asks every 2 s',
};

function LiveSign({ live }: { live: Live }) {
  const [state, setState] = useState(live.state);
  useEffect(() => {
    setState(live.state());
    return live.onState(setState);
  }, [live]);
  return (
    <span class={`stream ${state}`} role="status">
      <i aria-hidden="true" />
      {liveWords[state]}
    </span>
  );
}

function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
