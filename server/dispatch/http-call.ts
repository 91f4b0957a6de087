/**
 * One POST to a participant, as undici reports on it. It collects the response up to a bound and
 * settles exactly once. Invariant: after the call is given up, nothing of it is sent that was not
 * sent before.
 */
import type { Client, Dispatcher } from 'undici';
import type { CallAnswer } from '../../client-sdk/protocol/index.ts';
import type { Linked } from '../runtime/chain.ts';
import type { Due } from './deadlines.ts';
import { answerOf, unknownAnswer } from './http-answer.ts';
import type { Answered } from './later.ts';
import { notAsked } from './later.ts';
import type { HttpTransportLimits } from './limits.ts';

/** What to send, and whom to answer. */
export interface HttpAsking {
  readonly path: string;
  /** Names and values, in turn. */
  readonly headers: string[];
  readonly body: string;
  readonly timeoutMs: number;
  readonly answered: Answered;
}

/** How a call is owned: told of the answer, and of the connection being free again. */
export interface HttpCallOwner {
  readonly limits: HttpTransportLimits;
  nowMs(): number;
  /** At most once. */
  answer(call: HttpCall, answer: CallAnswer): void;
  /**
   * Exactly once for a dispatched call, when undici has let go of it. `isIntact`: its response was
   * read to the end, so its connection may carry another call.
   */
  finished(call: HttpCall, isIntact: boolean): void;
}

/** Where a call stands: in the queue of its origin, or among those under way. */
export interface Place extends Linked<Place> {
  readonly call: HttpCall;
}

/** A call from its being taken to undici's letting go of it. */
export class HttpCall implements Due<HttpCall>, Dispatcher.DispatchHandler {
  readonly asking: HttpAsking;
  /** What it was dispatched on; null before. */
  connection: Client | null = null;
  readonly place: Place = { call: this, chain: null, before: null, after: null };
  dueTick = 0;
  chain: Due<HttpCall>['chain'] = null;
  before: HttpCall | null = null;
  after: HttpCall | null = null;
  readonly #owner: HttpCallOwner;
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #retryAfter: string | null = null;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isAnswered = false;
  #isFinished = false;

  constructor(asking: HttpAsking, owner: HttpCallOwner) {
    this.asking = asking;
    this.#owner = owner;
  }

  /** Whether any byte of it may have left; before that, surely nobody was asked. */
  get isSent(): boolean {
    return this.#controller !== null;
  }

  /** Its time is over, or the transport closes. What was never sent is surely not done. */
  giveUp(why: string): void {
    this.#settle(
      this.isSent ? unknownAnswer(`${why}; the operation may have happened`) : notAsked(why),
    );
    this.#controller?.abort(new Error(why));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for the connection: it was answered "not asked", so it must not go.
    if (this.#isAnswered) controller.abort(new Error('given up before it was sent'));
    else this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#status = status;
    const retryAfter = headers['retry-after'];
    this.#retryAfter = typeof retryAfter === 'string' ? retryAfter : null;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isAnswered) return;
    const { resultBytesMax, errorBytesMax } = this.#owner.limits;
    const isDone = this.#status >= 200 && this.#status < 300;
    const bytesMax = isDone ? resultBytesMax : errorBytesMax;
    this.#chunks.push(chunk.subarray(0, bytesMax - this.#bytes));
    this.#bytes += chunk.length;
    if (this.#bytes <= bytesMax) return;
    this.#respond(false);
    controller.abort(new Error('the body is too long'));
  }

  onResponseEnd(): void {
    this.#respond(true);
    this.#finish(true);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#status !== 0) this.#respond(false);
    else if (this.#controller === null) this.#settle(notAsked(describe(error)));
    else this.#settle(unknownAnswer(`${describe(error)}; the operation may have happened`));
    this.#finish(false);
  }

  #respond(isComplete: boolean): void {
    if (this.#isAnswered) return;
    const body = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    const response = {
      status: this.#status,
      retryAfter: this.#retryAfter,
      body: body ?? Buffer.alloc(0),
      isComplete,
    };
    this.#settle(answerOf(response, this.#owner.nowMs()));
  }

  #settle(answer: CallAnswer): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#chunks = [];
    this.#owner.answer(this, answer);
  }

  #finish(isIntact: boolean): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#owner.finished(this, isIntact);
  }
}

/** Code and message without the stack; undici's and Node's messages name host and port only. */
function describe(error: Error): string {
  const [inner] = error instanceof AggregateError ? error.errors : [error];
  const shown: unknown = inner;
  if (!(shown instanceof Error)) return 'the request failed';
  const code = 'code' in shown && typeof shown.code === 'string' ? shown.code : shown.name;
  return shown.message.includes(code) ? shown.message : `${code}: ${shown.message}`;
}
