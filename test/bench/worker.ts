/**
 * A worker process of the product: a service that begins transactions, takes part in them, or both,
 * through the SDK as a user has it. It is told when to run by whoever measures (`messages.ts`) and
 * judges nothing. Argument: WorkerSettings as JSON.
 */
import { connect, type Settle } from '@settle/client';
import { openAccounts } from './accounts.ts';
import { openBank } from './bank-rows.ts';
import { type Bank, type BankCalls, bankService, offerSteps, offerTccMethods } from './business.ts';
import { attemptOf } from './flows.ts';
import { serveBank } from './http-bank.ts';
import { type Attempt, createLoad, type Load } from './load.ts';
import type { FromWorker, ToProductWorker, WorkerSettings } from './messages.ts';
import { createTenths, type Tenths } from './tenths.ts';

/** Calls that a bank takes at once: far more than one transaction's, so that only the bench limits. */
const callsMax = 4_096;

interface Worker {
  /** Of an HTTP server. */
  readonly url: string | null;
  /** Null: it only takes part. */
  readonly load: Load | null;
  /** In mode `at`: the same rows without Settle. */
  readonly plainLoad?: Load;
  readonly calls: CallCount;
  close(): Promise<void>;
}

async function openWorker(settings: WorkerSettings): Promise<Worker> {
  if (settings.role === 'participant' && settings.participantUrls !== null) {
    const { url, close } = await serveBank();
    return { url, load: null, calls: createCallCount(), close };
  }
  if (settings.mode === 'at') return openAtWorker(settings);
  const { role, databaseUrl, connections = 1 } = settings;
  const pool = databaseUrl === null ? null : openBank(databaseUrl);
  const calls = createCallCount();
  const called = settings.countsCalls === true ? calls.add : null;
  const settles: Settle[] = [];
  const attempts: Attempt[] = [];
  for (let number = 0; number < connections; number += 1) {
    const settle = await connectTo(settings);
    settles.push(settle);
    attempts.push(attemptOf(settle, settings, offer(settle, settings, { pool, called })));
    await settle.ready();
  }
  const attempt: Attempt = (number) =>
    attempts[number % connections]?.(number) ?? Promise.reject(new Error('no connection'));
  return {
    url: null,
    load: role === 'participant' ? null : createLoad(attempt, settings),
    calls,
    async close() {
      await Promise.all(settles.map((settle) => settle.close()));
      await pool?.end();
    },
  };
}

async function openAtWorker(settings: WorkerSettings): Promise<Worker> {
  const settle = await connectTo(settings);
  const accounts = openAccounts(settle, settings.resourceUrls ?? [], settings);
  await settle.ready();
  return {
    url: null,
    load: createLoad(accounts.transact, settings),
    plainLoad: createLoad(accounts.plain, settings),
    calls: createCallCount(),
    async close() {
      await settle.close();
      await accounts.close();
    },
  };
}

/** Counts calls from the first one after the last `take`. */
interface CallCount {
  add(): void;
  take(): readonly number[];
}

function createCallCount(): CallCount {
  let tenths: Tenths | null = null;
  let beganAtMs = 0;
  return {
    add() {
      const nowMs = performance.now();
      if (tenths === null) beganAtMs = nowMs;
      tenths ??= createTenths();
      tenths.add(nowMs - beganAtMs);
    },
    take() {
      const counts = tenths?.counts() ?? [];
      tenths = null;
      return counts;
    },
  };
}

function connectTo({ url, role, requestTimeoutMs }: WorkerSettings): Promise<Settle> {
  return connect({
    url,
    service: role === 'initiator' ? 'teller' : bankService,
    callsMax,
    ...(requestTimeoutMs === null ? {} : { requestTimeoutMs }),
  });
}

/** What an initiator of the same process may call without the network. */
function offer(settle: Settle, { role, mode }: WorkerSettings, bank: Bank): BankCalls | null {
  if (role === 'initiator') return null;
  if (mode !== 'saga') return offerTccMethods(settle, bank);
  offerSteps(settle, bank);
  return null;
}

function tell(message: FromWorker): void {
  process.send?.(message);
}

async function obey(worker: Worker, message: ToProductWorker): Promise<void> {
  switch (message.kind) {
    case 'run': {
      const load = message.isPlain === true ? worker.plainLoad : worker.load;
      if (!load) throw new Error('this worker starts no such transactions');
      tell({ kind: 'round', report: await load.round(message.seconds, message.load) });
      return;
    }
    case 'calls':
      tell({ kind: 'calls', perTenth: worker.calls.take() });
      return;
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
  process.on('message', (message: ToProductWorker) => {
    obey(worker, message).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  tell({ kind: 'ready', url: worker.url });
}

await main();
