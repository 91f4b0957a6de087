/**
 * What is answered to bytes that are no HTTP request, or one whose head is too large or too slow:
 * there is no Fastify request then, so the answer is written to the socket by hand.
 */
import type { Socket } from 'node:net';
import type { ErrorCode } from '../../client-sdk/protocol/index.ts';
import { problemOf, problemType } from './problem.ts';

/** Writes a problem and closes the connection. Fits Fastify's `clientErrorHandler`. */
export function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  // ECONNRESET: the caller is gone. Not writable: an answer was on its way already.
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const [code, detail] = meaningOf(error.code);
  const problem = problemOf(code, detail);
  const body = JSON.stringify(problem);
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${code}`,
      `content-type: ${problemType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function meaningOf(code: string | undefined): readonly [ErrorCode, string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['LIMIT_EXCEEDED', 'The head of the request is too large'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['INVALID_REQUEST', 'The request did not arrive in time'];
    default:
      return ['INVALID_REQUEST', 'This is not an HTTP request'];
  }
}
