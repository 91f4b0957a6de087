/**
 * `settle demo --trouble`: one night on call. Breaks three things, says where to begin and not what
 * to do, stays while somebody mends them, and tells of each that has ended what the books say.
 * Invariant: neither a process nor a database nor the folder outlives it.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { consoleFolder } from '../../api/console-files.ts';
import { createApiClient } from '../../cli/api-client.ts';
import { exitCodes } from '../../cli/exit.ts';
import { type StopSignal, watchStop } from '../../cli/stop-signal.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { becameReady, freePort } from '../coordinator-api.ts';
import { DemoFailure } from '../demo-failure.ts';
import { createLedger } from '../ledger.ts';
import { patienceMs, stuck, unlessFailed, within } from '../patience.ts';
import { createSupervisor, outputFile, type Supervisor } from '../supervisor.ts';
import { watchMending } from './mending.ts';
import { plantTroubles, type Scene } from './plant.ts';
import { makeDatabase, type NoDatabase, type OwnDatabase, serverVariable } from './postgres.ts';
import { openingCents, type Trouble, walletsFile } from './story.ts';

/** What the command takes. */
export interface TroubleFlags {
  /** Where the coordinator listens; without it 7400, if nobody else does. */
  readonly port?: number;
  /** Where it keeps its log; without it a SQLite file. */
  readonly log?: string;
  readonly json?: true;
}

interface Night {
  readonly flags: TroubleFlags;
  readonly terminal: Terminal;
  readonly folder: string;
  readonly supervisor: Supervisor;
  readonly database: OwnDatabase | NoDatabase;
}

/** Commands look there when nobody says where. */
const usualPort = 7_400;
const coordinatorName = 'coordinator';
const stopGraceMs = 5_000;
const howToBuild = 'is not built yet: run `npm run build:console` in the clone, then load the page';
/** Some twenty requests, three processes one after another, and ten attempts with growing pauses. */
const plantMsMax = 3 * patienceMs;
// From source as from the build: the others have the ending of this file.
const ending = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';
const cli = join(import.meta.dirname, '..', '..', 'cli', `main.${ending}`);

/** Runs until Ctrl-C, which is no failure. Sets exit code 1 when it cannot break what it wants to. */
export async function runTrouble(flags: TroubleFlags, terminal: Terminal): Promise<void> {
  const stop = watchStop();
  const folder = await mkdtemp(join(tmpdir(), 'settle-demo-'));
  const database = await makeDatabase(Date.now().toString(36));
  const supervisor = createSupervisor(folder);
  const night: Night = { flags, terminal, folder, supervisor, database };
  try {
    await Promise.race([unlessFailed(supervisor, spend(night, stop)), aborted(stop)]);
  } catch (error) {
    // What breaks while it is being stopped was stopped by the same Ctrl-C.
    if (stop.signal.aborted) return;
    if (!(error instanceof DemoFailure)) throw error;
    terminal.say(`settle: the demo did not come to its end. ${error.message}`);
    if (error.tail !== '') terminal.say(error.tail.replaceAll(/^/gm, '  '));
    process.exitCode = exitCodes.failure;
  } finally {
    await supervisor.stop(['stock', 'wallets'], stopGraceMs);
    if ('stop' in database) await database.stop();
    await rm(folder, { recursive: true, force: true });
    stop.close();
  }
}

async function aborted({ signal }: StopSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function spend(night: Night, stop: StopSignal): Promise<void> {
  const { flags, terminal, folder, supervisor, database } = night;
  const stockUrl = 'url' in database ? database.url : null;
  createLedger(
    walletsFile(folder),
    Object.entries(openingCents).map(([account, cents]) => ({ account, cents, isClosed: false })),
  );
  terminal.say(
    'Three services work for a while, and then things go wrong. This takes some seconds.',
  );
  if ('reason' in database) sayWhatIsMissing(database, terminal);
  const url = await startCoordinator(night);
  const scene: Scene = { url, folder, supervisor, stockUrl, client: createApiClient(url) };
  const planting = plantTroubles(scene);
  const troubles = await within(planting, 'the coordinator does not see what broke', plantMsMax);
  const tell = flags.json === true ? terminal.say : terminal.print;
  if (flags.json === true) terminal.print(JSON.stringify(reportOf(scene, troubles)));
  for (const line of welcomeLines(scene, troubles.length, terminal)) tell(line);
  await watchMending(scene, troubles, { stop, terminal });
}

async function startCoordinator({ flags, folder, supervisor }: Night): Promise<string> {
  const port = await freePort(flags.port ?? usualPort);
  const url = `http://127.0.0.1:${port}`;
  // Ten attempts soon, so that nobody waits for the attention; long pauses after that, as always.
  const patience = ['--retry-initial', '20ms'];
  const settings = ['--port', String(port), '--node', 'night', '--log-level', 'info', ...patience];
  supervisor.start({
    name: coordinatorName,
    command: () => [cli, 'server', ...settings],
    // Not an argument: a password in it would be shown by every `ps`.
    env: { SETTLE_LOG: flags.log ?? `sqlite:${join(folder, 'log.db')}`, SETTLE_MIGRATE: 'true' },
  });
  if (await becameReady(url, patienceMs)) return url;
  throw stuck('the coordinator is not ready');
}

function sayWhatIsMissing({ reason }: NoDatabase, terminal: Terminal): void {
  const lines = [
    '',
    'ONE OF THE THREE FAILURES IS MISSING: a dirty row needs a PostgreSQL database.',
    `  ${reason}.`,
    `  ${serverVariable}=postgres://user@host/postgres names a server that may be used; or install`,
    '  the programs of PostgreSQL, and the demo starts its own.',
    '',
  ];
  for (const line of lines) terminal.say(line);
}

/** The object of `--json`. */
function reportOf({ url, folder, stockUrl }: Scene, troubles: readonly Trouble[]) {
  return { url, console: `${url}/console`, folder, stock: stockUrl, troubles };
}

function welcomeLines(
  { url, folder, stockUrl }: Scene,
  count: number,
  terminal: Terminal,
): readonly string[] {
  const command = (text: string) => `  ${terminal.paint('cyan', text)}`;
  const isBuilt = existsSync(join(consoleFolder, 'index.html'));
  const isUsual = url === `http://127.0.0.1:${usualPort}`;
  return [
    terminal.paint('bold', `You are on call, and ${count} things have gone wrong.`),
    '',
    `coordinator  ${url}`,
    `its log      ${outputFile(folder, coordinatorName)}`,
    `console      ${url}/console`,
    ...(isBuilt ? [] : [`  ${howToBuild}`]),
    `wallets      ${walletsFile(folder)} (SQLite)`,
    ...(stockUrl === null ? [] : [`stock        ${stockUrl}`]),
    '',
    'Where to begin, in another terminal (in a clone `settle` is `npm run -s settle --`):',
    ...(isUsual ? [] : [command(`export SETTLE_URL=${url}`)]),
    command('settle tx list --outcome open'),
    command('settle participant list'),
    command('settle doctor'),
    '',
    'All is mended when the first of these finds nothing. Each that ends is told here, with what the',
    'books say. docs/operations/first-night.md goes through it with you. Ctrl-C ends everything.',
    '',
  ];
}
