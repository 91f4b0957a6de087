/**
 * How a desk carries out one transfer between wallets, and what it may say afterwards. What the SDK
 * rejects with, whatever it is, means that the transfer never commits; only two codes leave it open.
 */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type Settle, SettleError } from '@settle/client';
import type { Vault } from './cast.ts';
import { leavesOpen, Regret, type Told } from './told.ts';
import type { WalletTransfer } from './wallet-transfers.ts';
import { type Changes, Refused } from './wallets.ts';

/** What a desk needs. */
export interface DeskPorts {
  readonly settle: Settle;
  readonly vaultUrls: Readonly<Record<Vault, string>>;
  readonly change: (work: Changes) => Promise<void>;
}

const name = 'wallet-transfer';
const timeoutMs = 4_000;
/** Shorter than the vault may wait for a lock: then it goes on when the rollback is decided. */
const vaultMsMax = 1_200;

/** The vault did not do its legs, or did not say so. */
class VaultFailed extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`the vault said ${code}`);
    this.code = code;
  }
}

/** Carries transfers out; never rejects. */
export function createDesk(ports: DeskPorts): (transfer: WalletTransfer) => Promise<Told> {
  return async (transfer) => {
    try {
      await runTransfer(ports, transfer);
      return { type: 'ok', code: 'committed' };
    } catch (error) {
      return whatItMeans(error);
    }
  };
}

function runTransfer(
  { settle, vaultUrls, change }: DeskPorts,
  { gid, story, vault, vaultLegs, deskLegs, isLocking, lingerMs }: WalletTransfer,
): Promise<void> {
  return settle.transaction({ gid, name, timeout: timeoutMs }, async (tx) => {
    if (vaultLegs.length > 0) {
      const signal = AbortSignal.any([tx.signal, AbortSignal.timeout(vaultMsMax)]);
      await askVault(
        vaultUrls[vault],
        { gid, legs: vaultLegs, isLocking },
        await tx.headers(),
        signal,
      );
      await pause(lingerMs);
    }
    await change({ gid, legs: deskLegs, isLocking });
    if (story === 'regret') throw new Regret();
    if (story !== 'abandoned') return;
    if (!tx.signal.aborted) await once(tx.signal, 'abort');
    throw tx.signal.reason;
  });
}

async function askVault(
  url: string,
  work: Changes,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(`${url}/legs`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(work),
    signal,
  });
  const code = String(await response.json());
  if (code !== 'done') throw new VaultFailed(code);
}

function whatItMeans(error: unknown): Told {
  if (error instanceof Regret) return { type: 'fail', code: 'regret' };
  if (error instanceof Refused) return { type: 'fail', code: 'refused' };
  if (error instanceof SettleError) {
    return { type: leavesOpen(error) ? 'info' : 'fail', code: error.code };
  }
  return { type: 'fail', code: error instanceof VaultFailed ? error.code : String(error) };
}
