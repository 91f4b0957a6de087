/**
 * An initiator process: carries out its share of the transfers, many at once, and writes down what
 * it was told. Started again after a kill it repeats what was in flight, with the same gids.
 * Invariant: it never starts a transfer beyond what the demo has released.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type AnswerBook, openAnswerBook } from './answer-book.ts';
import { connectPatiently, endGracefully } from './connected.ts';
import {
  answersFile,
  childSettings,
  type Release,
  type TellerSettings,
  tellDemo,
} from './messages.ts';
import { createTellerMethods, type TellerMethods } from './teller-methods.ts';
import { tellers, transferOf } from './workload.ts';

const progressMs = 50;
/** Between two questions about a transfer that is not decided yet. */
const askAgainMs = 100;

async function main(): Promise<void> {
  const settings = childSettings<TellerSettings>();
  const { teller, url, folder, inflight } = settings;
  const book = openAnswerBook(join(folder, answersFile(teller)));
  const gate = createGate(settings.released);
  process.on('message', (message: Release) => gate.open(message.released));
  const settle = await connectPatiently({ url, service: teller });
  tellDemo({ kind: 'ready' });
  const progress = setInterval(() => {
    tellDemo({ kind: 'progress', tally: book.tally() });
  }, progressMs);
  endGracefully(async () => {
    clearInterval(progress);
    await settle.close();
    book.close();
  });
  const methods = createTellerMethods(settle, url);
  const next = indexesOf(settings, book);
  await Promise.all(
    Array.from({ length: inflight }, async () => {
      for (let index = next(); index !== undefined; index = next()) {
        await gate.passed(index);
        await carryOut(settings, { book, methods }, index);
      }
    }),
  );
}

/** Indexes of this initiator that were not answered yet, one at each call. */
function indexesOf({ teller, run }: TellerSettings, book: AnswerBook): () => number | undefined {
  let index = tellers.indexOf(teller);
  return () => {
    while (index < run.transfers && book.isAnswered(index)) index += tellers.length;
    if (index >= run.transfers) return undefined;
    index += tellers.length;
    return index - tellers.length;
  };
}

interface Work {
  readonly book: AnswerBook;
  readonly methods: TellerMethods;
}

async function carryOut(
  { run }: TellerSettings,
  { book, methods }: Work,
  index: number,
): Promise<void> {
  const transfer = transferOf(run, index);
  const { gid } = transfer;
  const isInDoubt = book.isInDoubt(index);
  if (!isInDoubt) book.asked(index);
  // What an earlier life began may have been decided since, so the coordinator is asked first; if
  // it is still undecided, it is carried on once.
  let isAsking = isInDoubt;
  let mayCarryOn = isInDoubt;
  let isResolved = isInDoubt;
  for (;;) {
    const told = isAsking ? await methods.ask(transfer) : await methods.attempt(transfer);
    switch (told) {
      case 'committed':
      case 'rolledBack':
      case 'abandoned':
        return book.answered({ index, gid, told, isResolved });
      case 'unknown':
        isAsking = true;
        isResolved = true;
        break;
      case 'nobody':
        isAsking = false;
        await pause(askAgainMs);
        break;
      case 'undecided':
        // Nobody carries on twice: its deadline, or its steps, will decide.
        isAsking = !mayCarryOn;
        mayCarryOn = false;
        await pause(askAgainMs);
        break;
      default:
        throw new Error(`no such outcome: ${told satisfies never}`);
    }
  }
}

interface Gate {
  open(released: number): void;
  passed(index: number): Promise<void>;
}

/** Lets indexes below `released` pass; those that wait go on when it is raised. */
function createGate(initial: number): Gate {
  let released = initial;
  let waiting: { readonly index: number; readonly pass: () => void }[] = [];
  return {
    open(more) {
      released = Math.max(released, more);
      const ready = waiting.filter(({ index }) => index < released);
      waiting = waiting.filter(({ index }) => index >= released);
      for (const { pass } of ready) pass();
    },
    passed(index) {
      if (index < released) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ index, pass: resolve });
      return promise;
    },
  };
}

await main();
