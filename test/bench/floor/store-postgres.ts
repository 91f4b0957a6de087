/**
 * Rows to PostgreSQL: the statement that the real log runs when nothing is amiss, over two
 * connections with its settings and one commit each. The statement is the log's own, so the two
 * cannot drift apart; how its parameters are made is in postgres-columns.ts.
 */
import pg from 'pg';
import { appendPart } from '../../../server/log/postgres-append.ts';
import { connectionSettings } from '../../../server/log/postgres-log.ts';
import { columnCount, columnsOf } from './postgres-columns.ts';
import type { Store } from './store.ts';

const settings = { ...connectionSettings, synchronous_commit: 'on' };

interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Connects twice. Throws when the log's statement takes other parameters than it did. */
export async function openPostgresStore(url: string, epoch: number): Promise<Store> {
  const { name, text, values } = await statementOfLog(epoch);
  if (values.length !== columnCount) {
    throw new Error(`the log's statement takes ${values.length} parameters now: mend the floor`);
  }
  const idle = [await connect(url), await connect(url)];
  return {
    commitsMax: idle.length,
    commit(rows, durable) {
      const client = idle.pop();
      if (client === undefined) throw new Error('more commits than connections');
      const query = {
        name,
        text,
        values: [...columnsOf(rows, epoch)],
        rowMode: 'array' as const,
      };
      client.query<unknown[]>(query, (error, result) => {
        // The types say that there is always an error.
        if ((error as Error | null) !== null) throw error;
        if (result.rows.length === 0) throw new Error('the term is over');
        idle.push(client);
        durable();
      });
    },
  };
}

/** What the log sends for a batch, told by a connection that only listens. */
async function statementOfLog(epoch: number): Promise<Statement> {
  const sent: Statement[] = [];
  const listener = {
    on() {},
    off() {},
    release() {},
    query(statement: Statement) {
      sent.push(statement);
      return Promise.resolve({ rows: [['']] });
    },
  };
  const pool = { connect: () => Promise.resolve(listener) } as unknown as pg.Pool;
  await appendPart(pool, { node: 'floor', epoch }, []);
  const [statement] = sent;
  if (statement === undefined) throw new Error('the log sends nothing');
  return statement;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'settle floor' });
  await client.connect();
  for (const [name, value] of Object.entries(settings)) {
    await client.query('select set_config($1, $2, false)', [name, value]);
  }
  return client;
}
