/** Deadlocks over a database of PostgreSQL and one of MariaDB. */
import { afterAll, beforeAll, describe } from 'vitest';
import { provide, skipSuite } from '../support/databases.ts';
import { deadlockSchema, deadlockStories, startDeadlockWorld } from './deadlocks.ts';
import { kindOn } from './either-kind.ts';
import { startCoordinator } from './world.ts';

const [postgres, mysql] = [await provide('postgres'), await provide('mysql')];
for (const server of [postgres, mysql]) {
  if (server.kind === 'skipped') skipSuite('deadlocks', server.reason);
}

if (postgres.kind === 'provided' && mysql.kind === 'provided') {
  describe('one database of each kind', () => {
    let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
    beforeAll(async () => {
      coordinator = await startCoordinator();
    });
    afterAll(async () => {
      await coordinator.stop();
      await Promise.all([postgres.stop(), mysql.stop()]);
    });

    deadlockStories(() =>
      startDeadlockWorld(
        coordinator.url,
        [postgres, mysql].map((server) => () => kindOn(server).start(deadlockSchema)),
      ),
    );
  });
}
