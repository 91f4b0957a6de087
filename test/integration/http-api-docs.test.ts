/** docs/reference/http-api.md is true: every `sh` block runs against a real coordinator, in order. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { apiRoutes } from '../../server/api/routes.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';

const page = readFileSync(
  join(import.meta.dirname, '..', '..', 'docs', 'reference', 'http-api.md'),
  'utf8',
);
const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');

test('every block ends with success and no answer shows INTERNAL', async () => {
  const scratch = await scratchFolder();
  const server = await startServerCommand([], { folder: scratch.path });
  expect(blocks.length).toBeGreaterThan(10);
  try {
    for (const block of blocks) {
      const script = `set -euo pipefail\n${block}`;
      const env = { PATH: process.env['PATH'] ?? '', SETTLE_URL: server.url };
      const { stdout } = await promisify(execFile)('bash', ['-c', script], { env });
      expect(stdout.includes('"code":"INTERNAL"'), block).toBe(false);
    }
  } finally {
    server.signal('SIGKILL');
    await server.ended;
    await scratch.remove();
  }
});

test('every route has an example', () => {
  const examples = blocks.join('\n').replaceAll(/\/(order-\d+|trip-\d+)/g, '/{gid}');
  for (const route of apiRoutes()) {
    const named: Readonly<Record<string, string>> = {
      '{branchId}': '1',
      '{service}': 'shop',
      '{resource}': 'orders',
    };
    const own = route.path.replaceAll(/\{(?!gid)\w+\}/g, (name) => named[name] ?? name);
    const path = `$SETTLE_URL${own}`;
    const lines = examples.split('\n').filter((line) => line.includes('curl'));
    const isShown = lines.some((line) => {
      const end = line.slice(
        line.indexOf(path) + path.length,
        line.indexOf(path) + path.length + 1,
      );
      const isPost = line.includes('-X POST');
      return line.includes(path) && /^[\s"?]?$/.test(end) && isPost === (route.method === 'POST');
    });
    expect(isShown, `${route.method} ${route.path}`).toBe(true);
  }
});
