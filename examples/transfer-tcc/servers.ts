/** The databases of one run of this example, on whichever servers there are. No tables. */
import { type Advice, withServers } from '../servers.ts';
import type { ShardUrls } from './shards.ts';

/** Empty databases for one run. */
export interface Databases {
  readonly shards: ShardUrls;
  readonly shop: string;
  readonly points: string;
  /** For people: where they came from. */
  readonly origin: string;
}

/** Either databases, or what to do to have some. Never throws for a missing server. */
export function findDatabases(): Promise<(Databases & AsyncDisposable) | Advice> {
  return withServers<Databases>(async ({ postgres, mysql, origin }) => {
    const shop = await postgres.newDatabase();
    const [north, south] = [await postgres.newDatabase(), await postgres.newDatabase()];
    const shards = { north, south, west: await mysql.newDatabase() };
    return { shards, shop, points: await mysql.newDatabase(), origin };
  });
}
