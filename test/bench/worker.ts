/**
 * A worker process of the product: a service that begins transactions, takes part in them, or both,
 * through the SDK as a user has it. It is told when to run by whoever measures (`messages.ts`) and
 * judges nothing. Argument: WorkerSettings as JSON.
 */
import { connect } from '@settle/client';
import { bankService, offerSteps, offerTccMethods, openBank } from './business.ts';
import { attemptOf } from './flows.ts';
import { serveBank } from './http-bank.ts';
import { createLoad, type Load } from './load.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './messages.ts';

/** Calls that a bank takes at once: far more than one transaction's, so that only the bench limits. */
const callsMax = 4_096;

interface Worker {
  /** Of an HTTP server. */
  readonly url: string | null;
  /** Null: it only takes part. */
  readonly load: Load | null;
  close(): Promise<void>;
}

async function openWorker(settings: WorkerSettings): Promise<Worker> {
  if (settings.role === 'participant' && settings.participantUrls !== null) {
    const { url, close } = await serveBank();
    return { url, load: null, close };
  }
  const { url, role, mode, databaseUrl, requestTimeoutMs } = settings;
  const settle = await connect({
    url,
    service: role === 'initiator' ? 'teller' : bankService,
    callsMax,
    ...(requestTimeoutMs === null ? {} : { requestTimeoutMs }),
  });
  const pool = databaseUrl === null ? null : openBank(databaseUrl);
  const isBank = role !== 'initiator';
  const here = isBank && mode !== 'saga' ? offerTccMethods(settle, pool) : null;
  if (isBank && mode === 'saga') offerSteps(settle, pool);
  await settle.ready();
  return {
    url: null,
    load: role === 'participant' ? null : createLoad(attemptOf(settle, settings, here), settings),
    async close() {
      await settle.close();
      await pool?.end();
    },
  };
}

function tell(message: FromWorker): void {
  process.send?.(message);
}

async function obey(worker: Worker, message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'run': {
      if (worker.load === null) throw new Error('a participant starts no transactions');
      tell({ kind: 'round', report: await worker.load.round(message.seconds) });
      return;
    }
    case 'stop':
      await worker.close();
      process.exit(0);
      break;
    default:
      message satisfies never;
  }
}

async function main(): Promise<void> {
  // Parse boundary: whoever started this process wrote it.
  const settings = JSON.parse(process.argv[2] ?? '') as WorkerSettings;
  const worker = await openWorker(settings);
  process.on('message', (message: ToWorker) => {
    obey(worker, message).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  tell({ kind: 'ready', url: worker.url });
}

await main();
