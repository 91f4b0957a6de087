/** Moves money between two databases: all of it or nothing. Needs a running `settle dev`. */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, TerminalError } from '@settle/client';
import { createBarrierTable } from '@settle/client/participant';
import { nodeSqlite } from '@settle/client/sqlite';
import { Kysely, SqliteDialect, sql } from 'kysely';

const folder = join(tmpdir(), 'settle-quickstart');
mkdirSync(folder, { recursive: true });

type Bank = Kysely<{ account: { id: string; cents: number; held: number } }>;

async function openBank(id: string): Promise<Bank> {
  const dialect = new SqliteDialect({ database: nodeSqlite(join(folder, `${id}.db`)) });
  const db: Bank = new Kysely({ dialect });
  await createBarrierTable(db);
  await sql`create table if not exists account (id text primary key, cents int, held int)`.execute(
    db,
  );
  await sql`insert or ignore into account values (${id}, 1000, 0)`.execute(db);
  return db;
}

const read = (db: Bank) => db.selectFrom('account').selectAll().executeTakeFirstOrThrow();
const add = (db: Bank, cents: number, held: number) =>
  sql`update account set cents = cents + ${cents}, held = held + ${held}`.execute(db);

const [anna, ben] = [await openBank('anna'), await openBank('ben')];
const url = process.env['SETTLE_URL'] ?? 'http://127.0.0.1:7400';
await using settle = await connect({ url, service: 'bank' });

const withdraw = settle.tcc('withdraw', {
  db: anna,
  try: async (trx, cents: number) => {
    if ((await read(trx)).cents < cents) throw new TerminalError('anna has not enough money');
    await add(trx, -cents, cents);
  },
  confirm: (trx, cents) => add(trx, 0, -cents),
  cancel: (trx, cents) => add(trx, cents, -cents),
});
const deposit = settle.tcc('deposit', {
  db: ben,
  try: () => {},
  confirm: (trx, cents: number) => add(trx, cents, 0),
  cancel: () => {},
});

for (const cents of [300, 5_000]) {
  await settle
    .transaction({ name: 'transfer' }, () => Promise.all([withdraw(cents), deposit(cents)]))
    .then(() => console.log(`moved ${cents}`))
    .catch((error: Error) => console.log(error.message));
}
console.table([await read(anna), await read(ben)]);
