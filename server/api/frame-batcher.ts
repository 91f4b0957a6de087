/**
 * Messages that leave together: one frame at the end of the tick, or as soon as it is full. Batching
 * is worth a factor of two; frames without a bound would make the two sides take turns.
 */
import { limits, type ServerMessage } from '../../client-sdk/protocol/index.ts';

/** What a batcher needs: the end of the tick, and a way out for frames. */
export interface BatcherPorts {
  /** Calls back at the end of the tick. */
  readonly soon: (callback: () => void) => void;
  readonly send: (frame: string) => void;
  /** Characters of a frame, beyond which the next message opens another one. */
  readonly frameChars: number;
}

/** Collects the messages of one connection; owns nothing but what is not sent yet. */
export class FrameBatcher {
  readonly #ports: BatcherPorts;
  readonly #endOfTick: () => void;
  #texts: string[] = [];
  #chars = 0;
  #isScheduled = false;
  #isStopped = false;

  constructor(ports: BatcherPorts) {
    this.#ports = ports;
    this.#endOfTick = () => {
      this.#isScheduled = false;
      this.flush();
    };
  }

  /** Adds a message; order is kept. */
  push(message: ServerMessage): void {
    if (this.#isStopped) return;
    const text = JSON.stringify(message);
    if (this.#chars + text.length > this.#ports.frameChars) this.flush();
    this.#texts.push(text);
    this.#chars += text.length + 1;
    if (this.#texts.length === limits.frameMessagesMax) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#ports.soon(this.#endOfTick);
    }
  }

  /** Sends what there is now. */
  flush(): void {
    if (this.#texts.length === 0) return;
    const frame = `[${this.#texts.join(',')}]`;
    this.#texts = [];
    this.#chars = 0;
    this.#ports.send(frame);
  }

  /** Forgets what there is; nothing is sent any more. */
  stop(): void {
    this.#isStopped = true;
    this.#texts = [];
  }
}
