/**
 * A participant process: one bank with its shard, the business of the demo behind the SDK's barrier.
 * Under `--break barrier` the same business runs over an adapter that guards nothing.
 */
import { sagaSteps, stepDefinition, tccDefinition } from '../../../server/demo/bank-methods.ts';
import { connectPatiently, endGracefully, readyPatiently } from '../../../server/demo/connected.ts';
import { tellDemo } from '../../../server/demo/messages.ts';
import { bankOf, type ParticipantSettings, settingsOfThisProcess } from './cast.ts';
import { openShard } from './shard-database.ts';
import { unguarded } from './unguarded.ts';

async function main(): Promise<void> {
  const { shard, url, databaseUrl, isGuarded } = settingsOfThisProcess<ParticipantSettings>();
  const db = openShard(shard, databaseUrl);
  const ledger = db.$pickTables<'account' | 'reservation' | 'ledger'>();
  const settle = await connectPatiently({ url, service: bankOf(shard) });
  for (const side of ['debit', 'credit'] as const) {
    const definition = tccDefinition(side, () => ledger);
    if (isGuarded) settle.tcc(side, definition);
    else settle.tcc(side, { ...definition, db: unguarded(ledger) });
  }
  for (const step of sagaSteps) {
    const definition = stepDefinition(step, () => ledger);
    if (isGuarded) settle.step(step, definition);
    else settle.step(step, { ...definition, db: unguarded(ledger) });
  }
  await readyPatiently(settle);
  tellDemo({ kind: 'ready' });
  endGracefully(async () => {
    await settle.close();
    await db.destroy();
  });
}

await main();
