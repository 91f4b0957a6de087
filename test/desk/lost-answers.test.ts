/**
 * What the command line and the console make of answers that are lost: what may have been done is
 * never called failed.
 */
import { expect, it, onTestFinished } from 'vitest';
import { createApiClient } from '../../server/cli/api-client.ts';
import { undoneWords } from '../../server/console/wording.ts';
import { freeOrigin, openRawServer } from '../support/http-participant.ts';

/** The origin of a server that reads the request, says this, and is gone. */
async function saying(text: string): Promise<string> {
  const server = await openRawServer((socket) => socket.end(text));
  onTestFinished(() => server.close());
  return server.origin;
}

const proxyPage = 'HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\noops';

it.each([
  ['nothing', ''],
  ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"auditSeq":'],
  ['a page of a proxy', proxyPage],
])('a change that is answered with %s may have been done', async (_, text) => {
  const client = createApiClient(await saying(text));
  const asked = client.post('/v1/operations', { gids: ['g'] });
  await expect(asked).rejects.toMatchObject({ code: 'UNKNOWN' });
});

it('a look that is answered with nothing has only not been seen', async () => {
  const client = createApiClient(await saying(''));
  await expect(client.get('/v1/overview')).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

it('a change that reached nobody was not done', async () => {
  const client = createApiClient(await freeOrigin());
  await expect(client.post('/v1/operations', {})).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

it.each([
  [0, 'UNREACHABLE', 'Nobody knows'],
  [502, 'UNKNOWN', 'Nobody knows'],
  [504, 'UNKNOWN', 'Nobody knows'],
  [409, 'CONFLICT', 'Nothing was done'],
  [503, 'LOG_UNAVAILABLE', 'Nothing was done'],
])('the console says after %i %s: %s', (status, code, words) => {
  expect(undoneWords({ status, code }, 'Nothing was done')).toContain(words);
});
