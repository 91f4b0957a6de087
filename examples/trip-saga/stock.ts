/**
 * What the flight and the hotel sell: named things in cities, in an SQLite file that also holds the
 * barrier. No transactions here: `take` and `giveBack` run in the one that they are handed.
 */
import { createBarrierTable } from '@settle/client/participant';
import { type NodeSqlite, nodeSqlite } from '@settle/client/sqlite';
import { Kysely, SqliteDialect, sql, type Transaction } from 'kysely';

/** The tables, besides the barrier's. */
export interface StockTables {
  thing: {
    name: string;
    city: string;
    /** The trip that has it; null while it is free. */
    trip: string | null;
  };
}

/** A thing that is for sale. */
export type Thing = Readonly<Pick<StockTables['thing'], 'name' | 'city'>>;

/** Input of the saga, and so of each of its steps. */
export interface Trip {
  readonly traveller: string;
  readonly city: string;
}

/** What `main.ts` gives to flight and hotel. */
export interface StockSettings {
  readonly url: string;
  readonly file: string;
  /** The process dies as if by kill -9, right after its local commit for this trip. */
  readonly diesAfter?: string;
}

/** Opens the file; creates the tables and the things when it is new. */
export async function openStock(
  file: string,
  things: readonly Thing[],
  wrap: (database: NodeSqlite) => NodeSqlite = (database) => database,
): Promise<Kysely<StockTables>> {
  const db = new Kysely<StockTables>({
    dialect: new SqliteDialect({ database: wrap(nodeSqlite(file)) }),
  });
  await sql`create table if not exists thing (name text primary key, city text, trip text)`.execute(
    db,
  );
  await createBarrierTable(db);
  await db
    .insertInto('thing')
    .values(things.map(({ name, city }) => ({ name, city, trip: null })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return db;
}

/** Gives a free thing in the city to the trip; null when there is none left. */
export async function take(
  trx: Transaction<StockTables>,
  city: string,
  trip: string,
): Promise<string | null> {
  const free = await trx
    .selectFrom('thing')
    .select('name')
    .where('city', '=', city)
    .where('trip', 'is', null)
    .orderBy('name')
    .executeTakeFirst();
  if (free === undefined) return null;
  await trx.updateTable('thing').set({ trip }).where('name', '=', free.name).execute();
  return free.name;
}

/** Takes it back. */
export async function giveBack(trx: Transaction<StockTables>, trip: string): Promise<void> {
  await trx.updateTable('thing').set({ trip: null }).where('trip', '=', trip).execute();
}

/** What is taken, for `GET /reservations`. */
export function reservations(db: Kysely<StockTables>): Promise<readonly Reservation[]> {
  return db
    .selectFrom('thing')
    .select(['name', 'trip'])
    .where('trip', 'is not', null)
    .orderBy('trip')
    .execute();
}

/** One line of `GET /reservations` of every service. */
export interface Reservation {
  readonly name: string;
  readonly trip: string | null;
}
