/**
 * The car: a service without any SDK, as it could be written in any language. It speaks the status
 * protocol of plain HTTP participants (docs/guides/saga.md) and remembers by itself what it has
 * done: one row per (gid, branch), written in the transaction of the business. Invariant: of one
 * branch at most one `run` takes effect, and none after its `undo`.
 */
import { DatabaseSync } from 'node:sqlite';
import fastify, { type FastifyRequest } from 'fastify';
import { ready, serviceSettings } from '../processes.ts';

/** What `main.ts` gives it. */
export interface CarSettings {
  readonly file: string;
}

interface Row {
  readonly state: 'rented' | 'undone';
  readonly car: string;
}

const { file } = serviceSettings<CarSettings>();
const db = new DatabaseSync(file);
db.exec(`pragma journal_mode = wal; pragma synchronous = full;
  create table car (name text primary key, city text, trip text);
  create table seen (gid text, branch text, state text, car text, primary key (gid, branch));
  insert into car values ('red car', 'Oslo', null), ('blue car', 'Oslo', null);`);
const app = fastify();

app.post<{ Body: { payload: { city: string } } }>('/car/run', async (request, reply) => {
  const { gid, branch } = branchOf(request);
  const { city } = request.body.payload;
  return inTransaction(() => {
    const seen = find(gid, branch);
    if (seen?.state === 'undone') return reply.code(409).send({ error: 'this came too late' });
    if (seen !== undefined) return { car: seen.car };
    const free = db
      .prepare('select name from car where city = ? and trip is null order by rowid')
      .get(city);
    if (free === undefined) return reply.code(409).send({ error: `no car in ${city}` });
    const car = String(free['name']);
    db.prepare('update car set trip = ? where name = ?').run(gid, car);
    db.prepare('insert into seen values (?, ?, ?, ?)').run(gid, branch, 'rented', car);
    console.log(`  car     ${car} in ${city}`);
    return { car };
  });
});

app.post('/car/undo', async (request) => {
  const { gid, branch } = branchOf(request);
  return inTransaction(() => {
    const seen = find(gid, branch);
    // Also when nothing was rented: then this row turns away a run that was only slow.
    db.prepare('insert or replace into seen values (?, ?, ?, ?)').run(gid, branch, 'undone', '');
    if (seen?.state === 'rented') {
      db.prepare('update car set trip = null where name = ?').run(seen.car);
      console.log(`  car     ${seen.car} is free again`);
    }
    return null;
  });
});

app.get('/reservations', () =>
  db.prepare('select name, trip from car where trip is not null order by trip').all(),
);

function branchOf({ headers }: FastifyRequest): { gid: string; branch: string } {
  return { gid: String(headers['settle-gid']), branch: String(headers['settle-branch']) };
}

function find(gid: string, branch: string): Row | undefined {
  const row = db.prepare('select state, car from seen where gid = ? and branch = ?');
  // Parse boundary: only this file writes these rows.
  return row.get(gid, branch) as Row | undefined;
}

function inTransaction<T>(work: () => T): T {
  db.exec('begin immediate');
  try {
    const outcome = work();
    db.exec('commit');
    return outcome;
  } catch (error) {
    db.exec('rollback');
    throw error;
  }
}

await app.listen({ host: '127.0.0.1', port: 0 });
ready({ address: app.listeningOrigin });
