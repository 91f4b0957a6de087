/**
 * An initiator process: starts transfers at a steady rate, whatever becomes of the earlier ones, and
 * writes down what it asked and what it was told. A killed one starts again with new gids; what it
 * left behind is for deadlines to decide.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { connectPatiently } from '../../../server/demo/connected.ts';
import { tellDemo } from '../../../server/demo/messages.ts';
import { seededRandom } from '../../../server/runtime/random.ts';
import { type InitiatorSettings, initiators, settingsOfThisProcess } from './cast.ts';
import { type HistoryWriter, openHistory } from './history.ts';
import { createTeller, type Teller } from './teller.ts';
import { drawTransfer, type Transfer } from './transfers.ts';

/** More would only pile up behind a fault; at the usual rate it is six seconds of transfers. */
const inflightMax = 64;

async function main(): Promise<void> {
  const settings = settingsOfThisProcess<InitiatorSettings>();
  const { name, life, url, seed, tag, perSecond } = settings;
  const history = openHistory(settings.historyFile, `${name}.${life}`);
  const stopping = new AbortController();
  process.once('message', () => stopping.abort());
  // A channel that is listened to keeps the process alive; it ends when its transfers have.
  process.channel?.unref();
  const settle = await connectPatiently({ url, service: name, requestTimeoutMs: 10_000 });
  tellDemo({ kind: 'ready' });
  const teller = createTeller(settle, url);
  const random = seededRandom(seed * 1_009 + initiators.indexOf(name) * 101 + life);
  const inflight = new Set<Promise<void>>();
  for (let number = 0; !stopping.signal.aborted; number += 1) {
    const transfer = drawTransfer(`${tag}.${name}.${life}.${number}`, random);
    const running = carryOut(teller, history, transfer).finally(() => inflight.delete(running));
    inflight.add(running);
    if (inflight.size >= inflightMax) await Promise.race(inflight);
    await pause((2_000 / perSecond) * random.next());
  }
  await Promise.all(inflight);
  await settle.close();
  history.close();
  process.exit(0);
}

async function carryOut(teller: Teller, history: HistoryWriter, transfer: Transfer): Promise<void> {
  const { gid } = transfer;
  history.write({ type: 'invoke', f: 'transfer', gid, value: transfer });
  const { type, code } = await teller.attempt(transfer);
  history.write({ type, f: 'transfer', gid, value: code });
}

await main();
