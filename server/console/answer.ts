/**
 * An answer of the coordinator as the state of a component: asked when the address changes, asked
 * again when something is heard. Guards: what is shown stays until the new answer is there (nothing
 * jumps or blinks), one request at a time, and a late answer of another address is dropped.
 */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Answered, look, type Refused } from './ask.ts';
import { type Heard, useHeard } from './live.ts';

/** What there is to show. */
export interface Shown<T> {
  /** The newest answer; of another address than asked for now while `isFor` is not it. */
  readonly body: T | null;
  readonly refused: Refused | null;
  /** The first answer of this address is on its way. */
  readonly isLoading: boolean;
  /** Asks now. */
  readonly again: () => void;
}

/** When to ask again; default: at every beat, and when anything has changed. */
export type Concerns = (heard: Heard) => boolean;

const anything: Concerns = ({ kind }) => kind !== 'overview';
/** Changes come in heaps; a screen follows them at this pace. */
const paceMs = 1_000;

interface Held<T> {
  readonly path: string | null;
  readonly answer: Answered<T> | null;
}

/** How far the question is. */
interface Asking {
  path: string | null;
  isBusy: boolean;
  /** Asked for while it was busy. */
  isDue: boolean;
  /** Something was heard that the newest answer may not know of. */
  isHeard: boolean;
}

/** Asks `path` (null: nothing yet), and again whenever something that concerns it is heard. */
export function useAnswer<T>(path: string | null, concerns: Concerns = anything): Shown<T> {
  const [held, setHeld] = useState<Held<T>>({ path: null, answer: null });
  const asking = useRef<Asking>({ path: null, isBusy: false, isDue: false, isHeard: false });
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);

  const again = useCallback(async () => {
    const turn = asking.current;
    if (turn.path === null) return;
    if (turn.isBusy) {
      turn.isDue = true;
      return;
    }
    turn.isBusy = true;
    turn.isDue = false;
    const asked = turn.path;
    const answer = await look<T>(asked);
    turn.isBusy = false;
    if (asked === turn.path) setHeld((before) => kept(before, { path: asked, answer }));
    if (turn.isDue || asked !== turn.path) void again();
  }, []);

  // What is heard in between is asked about when the pace allows it: nothing may come after it.
  const inPace = useCallback(() => {
    asking.current.isHeard = timer.current !== null;
    if (asking.current.isHeard) return;
    void again();
    timer.current = setTimeout(() => {
      timer.current = null;
      if (asking.current.isHeard) inPace();
    }, paceMs);
  }, [again]);

  useEffect(() => {
    asking.current.path = path;
    clearTimeout(timer.current ?? undefined);
    timer.current = null;
    inPace();
    return () => {
      asking.current.path = null;
      clearTimeout(timer.current ?? undefined);
    };
  }, [path, inPace]);

  useHeard((heard) => {
    if (path !== null && concerns(heard)) inPace();
  });

  const { answer } = held;
  const isOurs = held.path === path;
  return {
    body: answer?.ok === true ? answer.body : null,
    refused: isOurs && answer?.ok === false ? answer.refused : null,
    isLoading: path !== null && !isOurs,
    again: () => void again(),
  };
}

/**
 * A connection that is lost for a moment takes nothing off the screen; the banner tells of it. An
 * answer that says the same again is the same: nothing is rendered anew for it.
 */
function kept<T>(before: Held<T>, now: Held<T>): Held<T> {
  const hasOne = before.path === now.path && before.answer?.ok === true;
  if (!hasOne) return now;
  if (now.answer?.ok === false) return now.answer.refused.status === 0 ? before : now;
  return JSON.stringify(before.answer) === JSON.stringify(now.answer) ? before : now;
}
