/**
 * Sets the scene: database servers, links, coordinators, banks, offices and initiators, each a process
 * of its own; and takes everything away again. Nothing is judged here.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { becameReady, freePort } from '../../../server/demo/coordinator-api.ts';
import { migrateLog } from '../../../server/log/schema.ts';
import { type Provided, provide, type ServerControl } from '../../support/databases.ts';
import {
  type Breakage,
  bankOf,
  type CoordinatorName,
  clients,
  coordinators,
  type Desk,
  type Initiator,
  type InitiatorSettings,
  initiators,
  type Office,
  type OfficeSettings,
  offices,
  type ParticipantSettings,
  type Shard,
  shards,
  storeOf,
} from './cast.ts';
import { type Children, createChildren } from './children.ts';
import { historyFile } from './history.ts';
import { type Link, openLink } from './link.ts';
import { createShard, forgetUndo, openShard, type ShardDatabase } from './shard-database.ts';

/** What a run is asked for. */
export interface StageOptions {
  readonly folder: string;
  readonly seed: number;
  readonly tag: string;
  /** Transfers a second, of all initiators together. */
  readonly perSecond: number;
  readonly breakage: Breakage | null;
}

/** Everything that runs. */
export interface Stage {
  readonly children: Children;
  readonly log: { readonly url: string; readonly control: ServerControl };
  /** By name, as in `linkNames`; `log` stands for the links of both coordinators. */
  linksNamed(name: string): readonly Link[];
  /** The coordinator whose turn it is. */
  active(): CoordinatorName;
  urlOf(name: CoordinatorName): string;
  /** The other one's turn; clients that do not stay are cut off, so that they come to it. */
  turnTo(name: CoordinatorName, staying: readonly string[]): void;
  /** Direct, without a link: for readers and the final reading. */
  readonly shards: ReadonlyMap<Shard, ShardDatabase>;
  readonly officeUrls: Readonly<Record<Office, string>>;
  close(): Promise<void>;
}

const root = join(import.meta.dirname, '..', '..', '..');
/** Exit codes of a coordinator that lost its term (75) or cannot reach its log yet (6). */
const coordinatorEnds = [75, 6];
const startMsMax = 30_000;

interface Servers {
  readonly log: Provided & { readonly control: ServerControl };
  readonly postgres: Provided;
  readonly mysql: Provided;
}

/** Starts everything; resolves when the first coordinator serves and all its clients are ready. */
export async function setStage(options: StageOptions): Promise<Stage | string> {
  const servers = await startServers();
  if (typeof servers === 'string') return servers;
  await mkdir(options.folder, { recursive: true });
  const logUrl = await servers.log.newDatabase();
  await migrateLog(logUrl);
  const urls = await createShards(servers, options.breakage);
  const ports = { 'coordinator-1': await freePort(), 'coordinator-2': await freePort() };
  const links = await openLinks(logUrl, urls, ports['coordinator-1']);
  const children = createChildren(options.folder);
  let active: CoordinatorName = 'coordinator-1';
  const linksNamed = (name: string) => links.get(name) ?? [];
  const through = (name: string, url: string) => linksNamed(name)[0]?.through(url) ?? url;
  const coordinatorUrl = (name: CoordinatorName) => `http://127.0.0.1:${ports[name]}`;
  const officeUrls = await addressOffices();
  const databases = new Map(shards.map((shard) => [shard, openShard(shard, urls[shard])]));
  const stage: Stage = {
    children,
    log: { url: logUrl, control: servers.log.control },
    linksNamed,
    active: () => active,
    urlOf: coordinatorUrl,
    turnTo(name, staying) {
      active = name;
      for (const client of clients) {
        for (const link of linksNamed(client))
          link.retarget(ports[name], !staying.includes(client));
      }
    },
    shards: databases,
    officeUrls,
    async close() {
      await children.killAll();
      await Promise.all([...links.values()].flat().map((link) => link.close()));
      await Promise.all([...databases.values()].map((db) => db.destroy()));
      await Promise.all([servers.log, servers.postgres, servers.mysql].map((s) => s.stop()));
    },
  };
  try {
    coordinators.forEach((name, index) => {
      const log = linksNamed('log')[index]?.through(logUrl) ?? logUrl;
      const settings = { name, port: ports[name], log, breakage: options.breakage };
      // The second one waits for its first turn.
      const command = coordinatorCommand(settings);
      children.add({ name, command: () => command, mayEndWith: coordinatorEnds });
    });
    children.restart('coordinator-1');
    const url = coordinatorUrl('coordinator-1');
    if (!(await becameReady(url, startMsMax))) throw new Error('the coordinator did not start');
    for (const shard of shards) {
      const databaseUrl = through(`db-${shard}`, urls[shard]);
      const isGuarded = options.breakage !== 'barrier';
      const settings = { shard, url: through(bankOf(shard), url), databaseUrl, isGuarded };
      children.add(participantPlan(settings));
      children.restart(bankOf(shard));
    }
    for (const name of offices) {
      const databaseUrls = {
        a: through('db-a', urls.a),
        b: through('db-b', urls.b),
        c: through('db-c', urls.c),
      };
      const settings = { name, url: through(name, url), databaseUrls };
      children.add(officePlan({ ...settings, ...portsOf(name, officeUrls) }));
      children.restart(name);
    }
    const asked = [...shards.map(bankOf), ...offices];
    await Promise.all(asked.map((name) => children.ready(name)));
    for (const name of initiators) {
      const settings = { name, url: through(name, url), deskUrls: officeUrls };
      children.add(initiatorPlan(settings, options));
      children.restart(name);
    }
    await Promise.all(initiators.map((name) => children.ready(name)));
    return stage;
  } catch (error) {
    await stage.close();
    throw error;
  }
}

/** A text when a server is missing. */
async function startServers(): Promise<Servers | string> {
  const [log, postgres, mysql] = await Promise.all([
    provide('postgres', { needsOwn: true }),
    provide('postgres'),
    provide('mysql'),
  ]);
  const found = [log, postgres, mysql];
  const missing = found.find((server) => server.kind === 'skipped');
  if (
    log.kind === 'provided' &&
    log.control !== null &&
    postgres.kind === 'provided' &&
    mysql.kind === 'provided'
  ) {
    return { log: { ...log, control: log.control }, postgres, mysql };
  }
  for (const server of found) if (server.kind === 'provided') await server.stop();
  return missing?.kind === 'skipped' ? missing.reason : 'the log needs a server of its own';
}

type ShardUrls = Readonly<Record<Shard, string>>;

async function createShards(
  { postgres, mysql }: Servers,
  breakage: Breakage | null,
): Promise<ShardUrls> {
  const create = async (shard: Shard): Promise<string> => {
    const url = await (storeOf[shard] === 'mysql' ? mysql : postgres).newDatabase();
    const db = openShard(shard, url);
    await createShard(shard, db);
    if (breakage === 'undo') await forgetUndo(shard, db);
    await db.destroy();
    return url;
  };
  return { a: await create('a'), b: await create('b'), c: await create('c') };
}

async function openLinks(
  logUrl: string,
  urls: ShardUrls,
  coordinatorPort: number,
): Promise<ReadonlyMap<string, readonly Link[]>> {
  const portOf = (url: string): number => Number(new URL(url).port);
  const links = new Map<string, readonly Link[]>();
  links.set('log', await Promise.all(coordinators.map(() => openLink(portOf(logUrl)))));
  for (const shard of shards) links.set(`db-${shard}`, [await openLink(portOf(urls[shard]))]);
  for (const client of clients) {
    links.set(client, [await openLink(coordinatorPort)]);
  }
  return links;
}

interface CoordinatorSettings {
  readonly name: CoordinatorName;
  readonly port: number;
  readonly log: string;
  readonly breakage: Breakage | null;
}

function coordinatorCommand(settings: CoordinatorSettings): readonly string[] {
  const { name, port, log, breakage } = settings;
  const flags = [
    ...['--port', String(port), '--log', log, '--node', name, '--log-level', 'warn'],
    // Shorter than the defaults, so that a short run sees what a long one would.
    ...['--call-timeout', '3s', '--retry-max', '2s'],
  ];
  if (breakage === null || breakage === 'barrier' || breakage === 'undo') {
    return [join(root, 'server/cli/main.ts'), 'server', ...flags];
  }
  return [join(import.meta.dirname, 'broken-coordinator.ts'), breakage, name, String(port), log];
}

function participantPlan(settings: ParticipantSettings) {
  const command = [join(import.meta.dirname, 'participant.ts'), JSON.stringify(settings)];
  return { name: bankOf(settings.shard), command: () => command, mayEndWith: [] };
}

async function addressOffices(): Promise<Readonly<Record<Office, string>>> {
  const address = async (): Promise<string> => `http://127.0.0.1:${await freePort()}`;
  return {
    'desk-1': await address(),
    'desk-2': await address(),
    'vault-1': await address(),
    'vault-2': await address(),
  };
}

function portsOf(name: Office, urls: Readonly<Record<Office, string>>) {
  return { port: Number(new URL(urls[name]).port), vaultUrls: urls };
}

function officePlan(settings: OfficeSettings) {
  const command = [join(import.meta.dirname, 'office.ts'), JSON.stringify(settings)];
  return { name: settings.name, command: () => command, mayEndWith: [] };
}

type InitiatorCast = {
  readonly name: Initiator;
  readonly url: string;
  readonly deskUrls: Readonly<Record<Desk, string>>;
};

function initiatorPlan({ name, url, deskUrls }: InitiatorCast, options: StageOptions) {
  const { seed, tag, folder, perSecond } = options;
  const command = (life: number) => {
    const settings: InitiatorSettings = {
      ...{ name, life, url, deskUrls, seed, tag },
      perSecond: perSecond / initiators.length,
      historyFile: historyFile(folder, `${name}.${life}`),
    };
    return [join(import.meta.dirname, 'initiator.ts'), JSON.stringify(settings)];
  };
  return { name, command, mayEndWith: [] };
}
