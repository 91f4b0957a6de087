/** The participants' half of a worker of the floor: which methods there are, and `done` to every call. */
import type { WriteMessage } from './frames.ts';

/** The service that all participants of the bench are instances of. */
export const bankService = 'bank';

/** What it offers. */
export const bankMethods = ['debit', 'credit'] as const;

/** Method of a branch or a step: the last one is a credit, the others are debits. */
export function methodOf(id: number, count: number): (typeof bankMethods)[number] {
  return id === count ? 'credit' : 'debit';
}

/** Who answers for a branch or a step, as JSON text. */
export function participantText(id: number, count: number): string {
  return `{"service":"${bankService}","method":"${methodOf(id, count)}"}`;
}

/** Answers at once. */
export function answerCall(write: WriteMessage, id: number): void {
  write(`{"kind":"answer","id":${id},"answer":{"outcome":"done","result":null}}`);
}
