/**
 * One world of real processes for every verb of the command line: a coordinator that repeats nothing
 * by itself, the services of `settle demo --trouble` with its three failures, and ways to break and to
 * mend them further.
 */
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import type {
  AuditView,
  TimelineAnswer,
  TransactionView,
} from '../../../client-sdk/protocol/index.ts';
import { type ApiClient, createApiClient } from '../../../server/cli/api-client.ts';
import { createLedger } from '../../../server/demo/ledger.ts';
import { createSupervisor } from '../../../server/demo/supervisor.ts';
import { plantTroubles } from '../../../server/demo/trouble/plant.ts';
import {
  branchesOf,
  frozenFile,
  openingCents,
  type TroubleKind,
  walletsFile,
} from '../../../server/demo/trouble/story.ts';
import type { Provided } from '../../support/databases.ts';
import {
  type Ended,
  runCommand,
  scratchFolder,
  startServerCommand,
} from '../../support/settle-command.ts';

export interface World {
  readonly folder: string;
  readonly url: string;
  /** Of the goods, past Settle. */
  readonly stockUrl: string;
  readonly client: ApiClient;
  /** Of the three failures, and of one that ended well. */
  readonly gids: Readonly<Record<TroubleKind | 'ended', string>>;
  /** The command as eve runs it, where colours are wanted unless it is told otherwise. */
  settle(...args: readonly string[]): Promise<Ended>;
  /** A payment that nobody has decided. */
  undecided(gid: string): Promise<void>;
  /** One that is decided, and whose second branch has failed once; nothing repeats it for a minute. */
  stuck(gid: string): Promise<void>;
  /** What the service refuses to do from now on, until it is mended. */
  breakWallets(how: 'frozen' | 'barrier'): void;
  mendWallets(): void;
  /** View and records, for comparing. */
  stateOf(gid: string): Promise<unknown>;
  /** The phase that it has ended in. */
  endOf(gid: string): Promise<string>;
  audit(): Promise<readonly AuditView[]>;
  stop(): Promise<void>;
}

/** Failures need no ten attempts here, and whatever is repeated was repeated by an operator. */
const patience = [
  '--retry-initial',
  '24h',
  '--retry-max',
  '24h',
  '--attention-after-attempts',
  '1',
];

export async function startWorld(server: Provided): Promise<World> {
  const scratch = await scratchFolder();
  const folder = scratch.path;
  const accounts = Object.entries(openingCents);
  createLedger(
    walletsFile(folder),
    accounts.map(([account, cents]) => ({ account, cents, isClosed: false })),
  );
  const coordinator = await startServerCommand(patience, { folder });
  const { url } = coordinator;
  const client = createApiClient(url);
  const supervisor = createSupervisor(folder);
  const stockUrl = await server.newDatabase();
  const stop = async (): Promise<void> => {
    await supervisor.stop([], 5_000);
    coordinator.signal('SIGKILL');
    await coordinator.ended;
    await scratch.remove();
  };
  try {
    const troubles = await plantTroubles({ url, folder, client, supervisor, stockUrl });
    const gidOf = (kind: TroubleKind) => troubles.find((each) => each.kind === kind)?.gid ?? '';
    const gids = {
      poison: gidOf('poison'),
      dirty: gidOf('dirty'),
      abandoned: gidOf('abandoned'),
      ended: await endedOne(client),
    };
    return { folder, url, stockUrl, client, gids, stop, ...waysIn(folder, client, url) };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function endedOne(client: ApiClient): Promise<string> {
  const list = await client.get('/v1/transactions', { outcome: 'committed', limit: 1 });
  return (list as { transactions: { gid: string }[] }).transactions[0]?.gid ?? '';
}

function waysIn(folder: string, client: ApiClient, url: string) {
  const view = async (gid: string) =>
    (await client.get(`/v1/transactions/${gid}`)) as TransactionView;
  const timeline = async (gid: string) =>
    (await client.get(`/v1/transactions/${gid}/timeline`)) as TimelineAnswer;
  const begin = async (gid: string): Promise<void> => {
    const branches = branchesOf({ name: 'gift', from: 'ada', to: 'zoe', cents: 1 });
    await client.post('/v1/transactions', { gid, name: 'gift', timeoutMs: 3_600_000, branches });
    for (const id of [1, 2]) await client.post(`/v1/transactions/${gid}/branches/${id}/try`, {});
  };
  return {
    settle: (...args: readonly string[]) =>
      runCommand(args, { folder, env: { SETTLE_URL: url, USER: 'eve', FORCE_COLOR: '1' } }),
    undecided: begin,
    async stuck(gid: string): Promise<void> {
      // It has to be tried before the wallets break, and fail after that.
      await begin(gid);
      writeFileSync(frozenFile(folder), 'zoe\n');
      await client.post(`/v1/transactions/${gid}/commit`, { wait: 'decided' });
      // The last of its records; each is durable once it is told.
      while (!(await timeline(gid)).entries.some(({ kind }) => kind === 'attention'));
    },
    ...waysToBreak(folder),
    async stateOf(gid: string) {
      return [await view(gid), await timeline(gid)];
    },
    async endOf(gid: string): Promise<string> {
      const query = { wait: 'completed', waitMs: 60_000 };
      const ended = (await client.get(`/v1/transactions/${gid}`, query)) as TransactionView;
      expect(ended.finishedAtMs).not.toBeNull();
      return ended.phase;
    },
    async audit(): Promise<readonly AuditView[]> {
      return ((await client.get('/v1/audit', { limit: 256 })) as { entries: AuditView[] }).entries;
    },
  };
}

function waysToBreak(folder: string) {
  const rename = (from: string, to: string): void => {
    const db = new DatabaseSync(walletsFile(folder));
    const known = db.prepare('select 1 from sqlite_schema where name = ?').get(from);
    if (known !== undefined) db.exec(`alter table ${from} rename to ${to}`);
    db.close();
  };
  return {
    breakWallets(how: 'frozen' | 'barrier'): void {
      if (how === 'frozen') writeFileSync(frozenFile(folder), 'zoe\n');
      else rename('settle_barrier', 'barrier_taken_away');
    },
    mendWallets(): void {
      writeFileSync(frozenFile(folder), '');
      rename('barrier_taken_away', 'settle_barrier');
    },
  };
}
