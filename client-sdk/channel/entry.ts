/**
 * One request that waits for an answer: what is kept of it, its body as JSON text, and what may be
 * said of it when its time is over. When it is sent is the business of `requests.ts`.
 */
import { problemError, reasonOf, SettleError } from '../errors.ts';
import { type ChannelVerb, type Gid, limits, type Problem } from '../protocol/index.ts';
import type { Limited } from './deadlines.ts';
import { fitsFrame } from './frame.ts';

/** A request; `requests.ts` moves it between its states. */
export interface Entry extends Limited {
  readonly verb: ChannelVerb;
  readonly gid: Gid | undefined;
  /** JSON text: what is sent again is not encoded again. */
  readonly body: string;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
  /** The listener of its signal. */
  aborted: (() => void) | null;
  /** Of the message that is under way; each sending has its own, so late answers hit nothing. */
  id: number;
  resting: NodeJS.Timeout | undefined;
  rests: number;
  /** A coordinator may have taken it although no answer came. */
  isPerhapsTaken: boolean;
  lastProblem: Problem | null;
}

/** The global transaction that a body is about. */
export function gidOf(body: object): Gid | undefined {
  return 'gid' in body && typeof body.gid === 'string' ? body.gid : undefined;
}

/** A body as JSON. INVALID_REQUEST for what JSON cannot say, LIMIT_EXCEEDED beyond 1 MiB. */
export function encode(verb: ChannelVerb, body: unknown, gid: Gid | undefined): string {
  const text = jsonText(verb, body, gid);
  if (fitsFrame(text)) return text;
  const detail = `${verb}: a request takes at most ${limits.bodyBytesMax} bytes`;
  throw new SettleError('LIMIT_EXCEEDED', detail, { gid });
}

function jsonText(verb: ChannelVerb, body: unknown, gid: Gid | undefined): string {
  try {
    return JSON.stringify(body);
  } catch (error) {
    const detail = `${verb}: the request is not JSON: ${reasonOf(error)}`;
    throw new SettleError('INVALID_REQUEST', detail, { gid, cause: error });
  }
}

/**
 * What is true of a request whose time is over: UNKNOWN when a coordinator may have taken it, else
 * its last refusal, else UNREACHABLE.
 */
export function expired(entry: Entry, whyNotConnected: string): SettleError {
  const { verb, gid, lastProblem } = entry;
  const more = { gid, cause: lastProblem === null ? undefined : problemError(lastProblem, gid) };
  if (entry.isPerhapsTaken) {
    const why = lastProblem === null ? '' : `; the last one was ${lastProblem.code}`;
    return new SettleError('UNKNOWN', `${verb}: no final answer came in time${why}`, more);
  }
  if (lastProblem !== null) return problemError(lastProblem, gid);
  const why = `${verb} was not sent: ${whyNotConnected}`;
  return new SettleError('UNREACHABLE', why, more);
}
