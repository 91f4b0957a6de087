/**
 * One transaction of the bench through the SDK, as a user would write it, for each mode. Invariant:
 * an ending is `wished` only when the SDK said what was planned: committed, or refused by the last
 * branch.
 */
import type { Saga, Settle } from '@settle/client';
import type { Participant } from '../../client-sdk/protocol/index.ts';
import type { StepTypes } from '../../client-sdk/saga.ts';
import { type BankCalls, bankService, type Entry, type Method, methodsOf } from './business.ts';
import { endingOf, isCode } from './endings.ts';
import type { Attempt } from './load.ts';
import type { WorkerSettings } from './messages.ts';

/** The attempt that these settings ask for. `here`: the bank's methods, if this process offers them. */
export function attemptOf(
  settle: Settle,
  settings: WorkerSettings,
  here: BankCalls | null,
): Attempt {
  const transact = transactOf(settle, settings, here);
  const { rollbackPercent, mode } = settings;
  const refusal = mode === 'saga' ? 'ROLLED_BACK' : 'REFUSED';
  return async (number) => {
    // Evenly spread: 7 is no divisor of 100, so each hundred has each remainder once.
    const isRefused = (number * 7) % 100 < rollbackPercent;
    const entry: Entry = { account: `a${number % 100}`, cents: isRefused ? 0 : 100 };
    try {
      await transact(entry);
      if (!isRefused || settings.wait === 'submitted') return 'wished';
      return { error: 'committed although its last branch refuses', isUnknown: false };
    } catch (error) {
      if (isRefused && (error instanceof Regret || isCode(error, refusal))) return 'wished';
      return endingOf(error, settings);
    }
  };
}

/** In mode `empty` nobody can refuse, so the initiator does. */
class Regret extends Error {}

type Transact = (entry: Entry) => Promise<unknown>;

function transactOf(settle: Settle, settings: WorkerSettings, here: BankCalls | null): Transact {
  switch (settings.mode) {
    case 'tcc':
      return tcc(settle, settings, here);
    case 'saga':
      return saga(settle, settings);
    case 'empty':
      return empty(settle, settings);
    case 'at':
      throw new Error('accounts.ts has the flow of this mode');
    default:
      return settings.mode satisfies never;
  }
}

function tcc(settle: Settle, settings: WorkerSettings, here: BankCalls | null): Transact {
  const options = { name: 'transfer', wait: waitOf(settings) };
  const calls = methodsOf(settings.branches).map((method, index) => {
    if (here !== null) return here[method];
    return settle.remote<Entry, null>(participantOf(settings, method, index));
  });
  return (entry) =>
    settle.transaction(options, () => Promise.all(calls.map((call) => call(entry))));
}

function empty(settle: Settle, settings: WorkerSettings): Transact {
  const options = { name: 'empty', wait: waitOf(settings) };
  return (entry) =>
    settle.transaction(options, async (tx) => {
      // Without a branch or headers nothing would be begun, and the SDK would send nothing at all.
      await tx.headers();
      if (entry.cents <= 0) throw new Regret('changed its mind');
    });
}

function waitOf({ wait }: WorkerSettings): 'completed' | 'decided' {
  return wait === 'decided' ? 'decided' : 'completed';
}

/** A saga whose steps came from a loop, so that the compiler cannot know their names. */
interface LooseSaga {
  step(name: string, definition: { readonly participant: Participant }): LooseSaga;
}
type PlainSaga = Saga<Entry, Entry, undefined, Readonly<Record<string, StepTypes>>, string>;

function saga(settle: Settle, settings: WorkerSettings): Transact {
  const wait = settings.wait === 'submitted' ? 'submitted' : 'completed';
  const bare = settle.saga<Entry>('transfer') as unknown as LooseSaga;
  const grown = methodsOf(settings.branches).reduce((before, method, index) => {
    const participant = participantOf(settings, method, index);
    return before.step(`${method}${index + 1}`, { participant });
  }, bare);
  const definition = grown as unknown as PlainSaga;
  return async (entry) => {
    const { phase } = await settle.run(definition, entry, { wait });
    if (wait === 'completed' && phase !== 'committed') throw new Error(`it is still ${phase}`);
  };
}

function participantOf(
  { participantUrls }: WorkerSettings,
  method: Method,
  index: number,
): Participant {
  if (participantUrls === null) return { service: bankService, method };
  return { url: `${participantUrls[index % participantUrls.length]}/${method}` };
}
