/**
 * Every bound of the channel's endpoint, in one place, with its reason. Each is tested at the limit
 * and one past it.
 */
import { limits } from '../../client-sdk/protocol/index.ts';

/** Bounds of the endpoint and of each connection. */
export interface ChannelLimits {
  /** One per SDK process and node; each costs some 50 KiB with its socket. */
  readonly connectionsMax: number;
  /** Unanswered requests of one connection; more are refused OVERLOADED. Told in `welcome`. */
  readonly requestsMax: number;
  /** Methods that one hello may name. */
  readonly methodsMax: number;
  /** Unanswered calls that one instance may ask for. */
  readonly callsMax: number;
  /** A frame holds several messages; more than this is no SDK (close code 1009). */
  readonly frameBytesMax: number;
  /** One message: a request body, with kind and id around it. */
  readonly messageBytesMax: number;
  /** A frame leaves when it has this many characters: long frames hold up what comes after them. */
  readonly frameChars: number;
  /** Messages of all connections in one turn of the event loop; then they wait, unread. */
  readonly turnMessagesMax: number;
  /** Not read by the peer yet: more than this, and nothing is taken from it until it has read on. */
  readonly unsentBytesPause: number;
  /** Not read by the peer yet: more than this, and it is cut off, for the bytes are our memory. */
  readonly unsentBytesMax: number;
  /** How often each connection is pinged; the SDK takes three times this as silence. */
  readonly heartbeatMs: number;
  /** Pings in a row without any sign of life: the connection is dead. 3 × 5 s. */
  readonly silentBeatsMax: number;
  /** How long the closing handshake may take; then the socket is destroyed. */
  readonly goodbyeMs: number;
  /** When a request over the window is worth another attempt. */
  readonly retryAfterMs: number;
  /** A participant may ask for patience, not for oblivion: longer waits are cut to this. */
  readonly retryAfterMsMax: number;
}

/** What is used unless a test says otherwise. */
export const channelLimits: ChannelLimits = {
  connectionsMax: 4_096,
  requestsMax: 4_096,
  methodsMax: 4_096,
  callsMax: 65_536,
  frameBytesMax: 4 * limits.bodyBytesMax,
  messageBytesMax: limits.bodyBytesMax,
  frameChars: limits.bodyBytesMax,
  turnMessagesMax: 1_024,
  unsentBytesPause: 4 * limits.bodyBytesMax,
  unsentBytesMax: 64 * limits.bodyBytesMax,
  heartbeatMs: 5_000,
  silentBeatsMax: 3,
  goodbyeMs: 2_000,
  retryAfterMs: 1_000,
  retryAfterMsMax: 3_600_000,
};
