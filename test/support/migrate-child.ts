/**
 * A process that migrates a log: `node migrate-child.ts URL` prints the names that it applied as
 * JSON. With a second argument N it takes the lock, runs only the first N statements, prints
 * `half` and waits to be killed.
 */

import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { loadMigrations, splitStatements } from '../../migrations/runner.ts';
import { parseLogUrl } from '../../server/log/log-url.ts';
import { migrateLog, withExecutor } from '../../server/log/schema.ts';

const [url = '', count] = process.argv.slice(2);
if (count === undefined) writeSync(1, JSON.stringify(await migrateLog(url)));
else await migrateHalf(Number(count));

async function migrateHalf(statements: number): Promise<void> {
  const target = parseLogUrl(url);
  if (target.kind === 'memory') return;
  const set = await loadMigrations('coordinator', target.kind);
  const text = set.migrations[0]?.text ?? '';
  await withExecutor(target, (executor) =>
    executor.exclusively(async () => {
      for (const sql of splitStatements(text).slice(0, statements)) await executor.run(sql, []);
      writeSync(1, 'half');
      await once(process.stdin, 'data');
    }),
  );
}
