/** When the TLS certificate of an address ends: one handshake, no request. Trust is not judged here. */
import { connect } from 'node:tls';
import type { EpochMs } from '../../client-sdk/protocol/index.ts';

const handshakeMsMax = 5_000;

/**
 * Of `https://host:port`. Throws when nothing answers there in five seconds, or without TLS. An
 * untrusted or ended certificate is no error: its end is what is asked for.
 */
export function certificateEnd(origin: string): Promise<EpochMs> {
  const { hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    // Server name indication knows no addresses (RFC 6066, 3).
    const isName = /[a-z]/i.test(host) && !host.includes(':');
    const socket = connect({
      host,
      port: Number(port || 443),
      rejectUnauthorized: false,
      ...(isName && { servername: host }),
    });
    socket.setTimeout(handshakeMsMax, () => socket.destroy(new Error('no answer in time')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.once('secureConnect', () => {
      const endMs = Date.parse(socket.getPeerCertificate().valid_to);
      socket.destroy();
      if (Number.isNaN(endMs)) reject(new Error('no certificate was shown'));
      else resolve(endMs);
    });
  });
}
