/**
 * The port to participants. A transport asks once and answers once; it never retries, for retries
 * belong to the engine. `test/conformance/transport.ts` holds every transport to this contract.
 */
import type { Call, CallAnswer, Participant } from '../../client-sdk/protocol/index.ts';

/** One way to reach participants. */
export interface Transport {
  /** Whether this transport can reach that kind of address. */
  reaches(participant: Participant): boolean;

  /**
   * Asks the participant. `answered` is called exactly once, never before `call` has returned,
   * at the latest after `timeoutMs` (then `unknown`). A lost connection is `unknown`, too: the
   * operation may have happened. When nobody can be asked (not connected, queue full) the answer
   * is `unknown` with an error that says so.
   */
  call(
    participant: Participant,
    call: Call,
    timeoutMs: number,
    answered: (answer: CallAnswer) => void,
  ): void;

  /** Answers what is under way `unknown` and lets go of connections. Safe to repeat. */
  close(): Promise<void>;
}
