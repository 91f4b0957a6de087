/**
 * Where an example finds a PostgreSQL and a MariaDB (or MySQL) server: at `POSTGRES_URL` and
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
} from '../test/support/databases.ts';

/** Two servers for one run. */
export interface Servers {
  readonly postgres: Provided;
  readonly mysql: Provided;
  /** For people: where they came from. */
  readonly origin: string;
}

/** What to do to have servers. */
export interface Advice {
  readonly advice: string;
}

const variables = { postgres: 'POSTGRES_URL', mysql: 'MYSQL_URL' } as const;

/**
 * Finds servers and lets `prepare` make databases on them; its answer comes back with what disposes
 * of all. Never throws for a missing or unreachable server.
 */
export async function withServers<Made extends object>(
  prepare: (servers: Servers) => Promise<Made>,
): Promise<(Made & AsyncDisposable) | Advice> {
  const found: Provided[] = [];
  const problems: string[] = [];
  for (const store of ['postgres', 'mysql'] as const) {
    const server = await provide(store, {}, [given(store), ...sources]);
    if (server.kind === 'provided') found.push(server);
    else problems.push(server.reason);
  }
  const dispose = async () => {
    for (const server of found) await server.stop();
  };
  const [postgres, mysql] = found;
  try {
    if (postgres === undefined || mysql === undefined) throw new Error(problems.join('\n'));
    const origin = `PostgreSQL (${postgres.source}) and MariaDB or MySQL (${mysql.source})`;
    const made = await prepare({ postgres, mysql, origin });
    return { ...made, [Symbol.asyncDispose]: dispose };
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
