/**
 * The participants' database as both sides use it: how it is reached, and the one row of business. Without
 * the SDK, for the floor must have none of it.
 */
import pg from 'pg';

/** Table of the business. */
export const createEntryTable = `create table if not exists entry (
  gid text not null, branch_id integer not null, account text not null, cents integer not null,
  primary key (gid, branch_id))`;

/** Named, so that PostgreSQL plans it once on each connection, as a service that cares would have it. */
export const insertEntry = {
  name: 'insert-entry',
  text: 'insert into entry (gid, branch_id, account, cents) values ($1, $2, $3, $4)',
};

/** Enough to let the database commit many at once; it has two cores to do so. */
const connectionsMax = 24;

/** Opens the participants' database; it connects when it is used. */
export function openBank(url: string): pg.Pool {
  return new pg.Pool({ connectionString: url, max: connectionsMax });
}
