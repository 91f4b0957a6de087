/**
 * The participant `wallets`: TCC methods `debit` and `credit` on one SQLite file. Its poison: a
 * wallet that stands in the file of frozen ones takes no money any more, also when it has promised
 * to. Whoever takes the name out of that file has mended it.
 */
import { readFileSync } from 'node:fs';
import { nodeSqlite } from '@settle/client/sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import { tccDefinition } from '../bank-methods.ts';
import { connectPatiently, endGracefully } from '../connected.ts';
import type { LedgerTables } from '../ledger.ts';
import { childSettings, tellDemo } from '../messages.ts';
import { frozenFile, walletsFile, walletsService } from './story.ts';

/** Argument of the process. */
export interface WalletsSettings {
  readonly url: string;
  /** Where its files are. */
  readonly folder: string;
}

async function main(): Promise<void> {
  const { url, folder } = childSettings<WalletsSettings>();
  const dialect = new SqliteDialect({ database: nodeSqlite(walletsFile(folder)) });
  const db = new Kysely<LedgerTables>({ dialect });
  const settle = await connectPatiently({ url, service: walletsService });
  settle.tcc(
    'debit',
    tccDefinition('debit', () => db),
  );
  const credit = tccDefinition('credit', () => db);
  settle.tcc('credit', {
    ...credit,
    confirm(trx, entry, call) {
      mustNotBeFrozen(entry.account, frozenFile(folder));
      return credit.confirm(trx, entry, call);
    },
  });
  await settle.ready();
  tellDemo({ kind: 'ready' });
  endGracefully(async () => {
    await settle.close();
    await db.destroy();
  });
}

/** An ordinary Error: for the coordinator an attempt that failed, and is to be repeated. */
function mustNotBeFrozen(account: string, file: string): void {
  const names = readNames(file);
  if (names.includes(account)) throw new Error(`the wallet of ${account} is frozen, says ${file}`);
}

function readNames(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split(/\s+/);
  } catch (error) {
    // Nobody is frozen when there is no such file; anything else is not for us to judge.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

await main();
