/**
 * Watches the failures that were left behind: a line for each whose transaction has ended, and one
 * when all is well. It reads the coordinator and the books, and changes nothing.
 */
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { Phase, TransactionView } from '../../../client-sdk/protocol/index.ts';
import type { ApiClient } from '../../cli/api-client.ts';
import type { StopSignal } from '../../cli/stop-signal.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { Failure } from '../../runtime/failure.ts';
import type { Scene } from './plant.ts';
import { type Trouble, walletsFile } from './story.ts';
import { type Books, judge, type Verdict } from './verdict.ts';

const lookMs = 500;

/** Where it is told, and until when. */
export interface Watching {
  readonly stop: StopSignal;
  readonly terminal: Terminal;
}

/** Resolves when it is stopped: whoever has mended everything still wants to look at it. */
export async function watchMending(
  scene: Scene,
  troubles: readonly Trouble[],
  { stop, terminal }: Watching,
): Promise<void> {
  const told = new Map<string, Verdict>();
  const isRight = () => troubles.every(({ gid }) => told.get(gid)?.isRight === true);
  while (!stop.signal.aborted) {
    const wasRight = isRight();
    for (const { kind, gid } of troubles) {
      const phase = told.get(gid)?.isRight === true ? null : await endOf(scene.client, gid);
      if (phase === null) continue;
      const verdict = judge(kind, phase, await readBooks(scene));
      if (verdict.text === told.get(gid)?.text) continue;
      told.set(gid, verdict);
      terminal.say(`${terminal.paint(verdict.isRight ? 'green' : 'yellow', '*')} ${verdict.text}`);
    }
    if (isRight() && !wasRight) {
      terminal.say('All is mended. `settle audit list` has what you did. Ctrl-C ends everything.');
    }
    await stop.pause(lookMs);
  }
}

/** The phase that it has ended in; null: it has not, or the coordinator cannot say. */
async function endOf(client: ApiClient, gid: string): Promise<Phase | null> {
  try {
    // The server made it: the parse boundary of this client.
    const view = (await client.get(`/v1/transactions/${gid}`)) as TransactionView;
    return view.finishedAtMs === null ? null : view.phase;
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}

async function readBooks({ folder, stockUrl }: Scene): Promise<Books> {
  const kettle = stockUrl === null ? null : await readKettle(stockUrl);
  return { totalCents: totalOf(walletsFile(folder)), kettle };
}

function totalOf(path: string): number {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(db.prepare('select sum(cents + held) as total from account').get()?.['total']);
  } finally {
    db.close();
  }
}

async function readKettle(url: string): Promise<Books['kettle']> {
  const client = new pg.Client({ connectionString: url });
  // A connection that breaks is reported by the query too; unheard it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    type Row = NonNullable<Books['kettle']>;
    const text = `select pieces, shelf from article where name = 'kettle'`;
    return (await client.query<Row>(text)).rows[0] ?? null;
  } finally {
    await client.end();
  }
}
