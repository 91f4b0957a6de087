/** The participants' half of a worker of the floor: which methods there are, and `done` to every call. */
import type { WriteMessage } from './frames.ts';

/** The service that all participants of the bench are instances of. */
export const bankService = 'bank';

/** What it offers. */
export const bankMethods = ['debit', 'credit'] as const;

/** The participant of a branch or a step as JSON text: the last one is a credit, the others are debits. */
export function participantText(id: number, count: number): string {
  return `{"service":"${bankService}","method":"${bankMethods[id === count ? 1 : 0]}"}`;
}

/** Answers at once. */
export function answerCall(write: WriteMessage, id: number): void {
  write(`{"kind":"answer","id":${id},"answer":{"outcome":"done","result":null}}`);
}
