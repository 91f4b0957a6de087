/** Who looks at the console, for every component below the shell. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { SessionView } from '../../client-sdk/protocol/desk.ts';

/** Null outside of the shell. */
export const SessionContext = createContext<SessionView | null>(null);

/** Whether buttons that change something are of use to who looks. The server decides all the same. */
export function useMayChange(): boolean {
  const session = useContext(SessionContext);
  if (session === null || session.isReadOnly) return false;
  return session.role === 'operator' || session.role === 'anyone';
}

/** Whether the name of who changes something is asked for: nobody logs in here. */
export function useIsUnnamed(): boolean {
  return useContext(SessionContext)?.role === 'anyone';
}
