/**
 * Where the example finds a PostgreSQL and a MariaDB (or MySQL) server: at `POSTGRES_URL` and
 * `MYSQL_URL`, else as the tests of this repository do: in Docker, or as programs installed on this
 * machine, started in a temporary folder. Invariant: it only uses databases that it has made
 * itself, and it drops them.
 */
import {
  type Provided,
  provide,
  type Source,
  type StoreName,
  sources,
} from '../../test/support/databases.ts';
import type { ShardUrls } from './shards.ts';

/** Empty databases for one run. */
export interface Databases extends AsyncDisposable {
  readonly shards: ShardUrls;
  readonly shop: string;
  readonly points: string;
  /** For people: where they came from. */
  readonly origin: string;
}

/** Either databases, or what to do to have some. */
export type Found = Databases | { readonly advice: string };

const variables = { postgres: 'POSTGRES_URL', mysql: 'MYSQL_URL' } as const;

/** Never throws for a missing or unreachable server. `others`: where else to look. */
export async function findDatabases(others: readonly Source[] = sources): Promise<Found> {
  const found: Provided[] = [];
  const problems: string[] = [];
  for (const store of ['postgres', 'mysql'] as const) {
    const server = await provide(store, {}, [given(store), ...others]);
    if (server.kind === 'provided') found.push(server);
    else problems.push(server.reason);
  }
  const dispose = async () => {
    for (const server of found) await server.stop();
  };
  const [postgres, mysql] = found;
  try {
    if (postgres === undefined || mysql === undefined) throw new Error(problems.join('\n'));
    const shop = await postgres.newDatabase();
    const [north, south] = [await postgres.newDatabase(), await postgres.newDatabase()];
    const shards = { north, south, west: await mysql.newDatabase() };
    const points = await mysql.newDatabase();
    const origin = `PostgreSQL (${postgres.source}) and MariaDB or MySQL (${mysql.source})`;
    return { shards, shop, points, origin, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    return { advice: adviceAfter(error) };
  }
}

function given(store: keyof typeof variables & StoreName): Source {
  const url = process.env[variables[store]] ?? '';
  const name = variables[store];
  return {
    name: 'environment',
    start: async () =>
      url === '' ? `${name} is not set` : { url, control: null, stop: async () => undefined },
  };
}

function adviceAfter(error: unknown): string {
  const reason = error instanceof AggregateError ? error.errors.join('; ') : String(error);
  return `${reason.replace(/^Error: /, '')}

This example needs a PostgreSQL and a MariaDB (or MySQL) server. One of these will do:
  - install their programs; on Debian or Ubuntu: apt-get install postgresql mariadb-server
    (they need not run: the example starts its own on free ports, and removes them)
  - start Docker
  - POSTGRES_URL=postgres://user:password@host/postgres and MYSQL_URL=mysql://user:password@host/mysql
    of servers on which that user may create databases`;
}
