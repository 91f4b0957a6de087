/**
 * Every bound of the transports, in one place, with its reason. Each is tested at the limit and one
 * past it.
 */
import { limits } from '../../client-sdk/protocol/index.ts';

/** Time-outs of calls, both transports. */
export const deadlineLimits = {
  /** Precision of a time-out. Finer only wakes the process more often; calls take seconds. */
  tickMs: 10,
} as const;

/** A participant may ask for patience, not for oblivion: longer waits are cut to an hour. */
export const retryAfterMsMax = 3_600_000;

/** Bounds of calls over the channel. */
export interface ChannelTransportLimits {
  /**
   * Calls that wait for a place at the instances of one service. About 1 KiB each; a service that
   * does not take them within the call's time-out would only make them late.
   */
  readonly queuedPerServiceMax: number;
  /**
   * How long a call that has timed out keeps its place in the window of its connection: it is
   * probably still running there. Then the place is free, so that a lost answer costs no place for ever.
   */
  readonly lateHoldMs: number;
  /** Instances looked at for the least loaded one; more cost time and gain nothing. */
  readonly instancesCompared: number;
}

/** What is used unless a test says otherwise. */
export const channelTransportLimits: ChannelTransportLimits = {
  queuedPerServiceMax: 4_096,
  lateHoldMs: 30_000,
  instancesCompared: 8,
};

/** Bounds of calls over HTTP. */
export interface HttpTransportLimits {
  /** Connections to one origin, one call on each. 64 reach all that one process can send. */
  readonly connectionsPerOrigin: number;
  /** Calls that wait for a connection to one origin. */
  readonly queuedPerOriginMax: number;
  /** Origins with a pool; the allow-list is shorter in practice. */
  readonly originsMax: number;
  /** A host that does not take the connection by then is away. */
  readonly connectTimeoutMs: number;
  /** Body of a 2xx answer: the largest result, and room for white space. */
  readonly resultBytesMax: number;
  /** Body of any other answer: enough to say why. The rest is not read. */
  readonly errorBytesMax: number;
}

/** When answers over HTTP wait for others. */
export const gatheringLimits = {
  /** How long at most: little for a call that is one of many, and enough for dozens of them. */
  waitMs: 2,
  /** Calls under way at the origin from which on its answers wait; with fewer none does. */
  underWayMin: 16,
} as const;

/** What is used unless a test says otherwise. */
export const httpTransportLimits: HttpTransportLimits = {
  connectionsPerOrigin: 64,
  queuedPerOriginMax: 1_024,
  originsMax: 256,
  connectTimeoutMs: 3_000,
  resultBytesMax: limits.payloadBytesMax + 1_024,
  errorBytesMax: 16 * 1_024,
};
