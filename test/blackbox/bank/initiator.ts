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
import type { Told } from './told.ts';
import { drawTransfer, type Transfer } from './transfers.ts';
import { drawWalletTransfer, type WalletTransfer } from './wallet-transfers.ts';

/** More would only pile up behind a fault; at the usual rate it is six seconds of transfers. */
const inflightMax = 64;
/** Of all transfers, those of kind `at`. */
const walletShare = 1 / 3;
/** How often a wallet transfer that met another one is tried, each time under a new gid. */
const attemptsMax = 3;
const betweenAttemptsMs = 100;

async function main(): Promise<void> {
  const settings = settingsOfThisProcess<InitiatorSettings>();
  const { name, life, url, deskUrls, seed, tag, perSecond } = settings;
  const history = openHistory(settings.historyFile, `${name}.${life}`);
  const stopping = new AbortController();
  process.once('message', () => stopping.abort());
  // A channel that is listened to keeps the process alive; it ends when its transfers have.
  process.channel?.unref();
  const settle = await connectPatiently({ url, service: name, requestTimeoutMs: 10_000 });
  tellDemo({ kind: 'ready' });
  const teller = createTeller(settle, url, deskUrls);
  const random = seededRandom(seed * 1_009 + initiators.indexOf(name) * 101 + life);
  const inflight = new Set<Promise<void>>();
  for (let number = 0; !stopping.signal.aborted; number += 1) {
    const gid = `${tag}.${name}.${life}.${number}`;
    const work =
      random.next() < walletShare
        ? carryOutAgain(teller, history, drawWalletTransfer(gid, random))
        : carryOut(teller, history, drawTransfer(gid, random));
    const running = work.then(() => void inflight.delete(running));
    inflight.add(running);
    if (inflight.size >= inflightMax) await Promise.race(inflight);
    await pause((2_000 / perSecond) * random.next());
  }
  await Promise.all(inflight);
  await settle.close();
  history.close();
  process.exit(0);
}

async function carryOut(
  teller: Teller,
  history: HistoryWriter,
  transfer: Transfer | WalletTransfer,
): Promise<Told> {
  const { gid } = transfer;
  history.write({ type: 'invoke', f: 'transfer', gid, value: transfer });
  const told = await teller.attempt(transfer);
  history.write({ type: told.type, f: 'transfer', gid, value: told.code });
  return told;
}

/** A transfer that met another one in its rows has done nothing: it is another one that tries again. */
async function carryOutAgain(
  teller: Teller,
  history: HistoryWriter,
  transfer: WalletTransfer,
): Promise<void> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const gid = attempt === 1 ? transfer.gid : `${transfer.gid}.${attempt}`;
    const { code } = await carryOut(teller, history, { ...transfer, gid });
    if (code !== 'LOCK_CONFLICT') return;
    await pause(betweenAttemptsMs * attempt);
  }
}

await main();
