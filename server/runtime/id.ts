/**
 * Ids as a port to the impure world: time-ordered UUIDs for gids that an initiator left to us.
 * Nothing in core or engine makes ids; they arrive inside requests.
 */
import { randomFillSync } from 'node:crypto';
import type { EpochMs, Gid } from '../../client-sdk/protocol/index.ts';

/**
 * A new UUIDv7 (RFC 9562 §5.7) as lower-case text: 48 bits of Unix milliseconds, then 74 random
 * bits. Time-ordered, because random keys cost the log's index 1.4 times as much.
 */
export function newGid(nowMs: EpochMs): Gid {
  const bytes = Buffer.alloc(16);
  randomFillSync(bytes, 6);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
