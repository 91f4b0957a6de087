/**
 * The file in which an initiator keeps what it asked and what it was told, one JSON line each. A
 * process that is started again reads it and carries on. Invariant: a transfer is noted as asked
 * before it is sent, so that a killed process leaves no gid behind that its next life forgets.
 */
import { appendFileSync, closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Told } from './check.ts';
import type { Tally } from './messages.ts';

/** A line of the file. */
type Line =
  | { readonly asked: number }
  | (Told & { readonly index: number; readonly isResolved: boolean });

/** What happened to transfer `index`. */
export interface Answer extends Told {
  readonly index: number;
  /** It was unknown at first, and settled by asking. */
  readonly isResolved: boolean;
}

/** The book of one initiator. Writes are in the page cache when they return: kill -9 keeps them. */
export interface AnswerBook {
  /** Whether an earlier life of this process asked it and was not answered. */
  isInDoubt(index: number): boolean;
  isAnswered(index: number): boolean;
  asked(index: number): void;
  answered(answer: Answer): void;
  tally(): Tally;
  close(): void;
}

/** Opens the file, creating it if need be. Throws what the file system throws. */
export function openAnswerBook(path: string): AnswerBook {
  const earlier = readLines(path);
  const answered = new Set(earlier.flatMap((line) => ('told' in line ? [line.index] : [])));
  const inDoubt = new Set(
    earlier.flatMap((line) => ('asked' in line && !answered.has(line.asked) ? [line.asked] : [])),
  );
  const count = { committed: 0, rolledBack: 0, abandoned: 0, resolved: 0 };
  const note = ({ told, isResolved }: Answer): void => {
    count[told] += 1;
    if (isResolved) count.resolved += 1;
  };
  for (const line of earlier) if ('told' in line) note(line);
  // A line that the kill cut off in the middle ends here, and is skipped by `readLines`.
  if (earlier.length > 0) appendFileSync(path, '\n');
  const file = openSync(path, 'a');
  const write = (line: Line): void => void writeSync(file, `${JSON.stringify(line)}\n`);
  return {
    isInDoubt: (index) => inDoubt.has(index),
    isAnswered: (index) => answered.has(index),
    asked: (index) => write({ asked: index }),
    answered(answer) {
      write(answer);
      answered.add(answer.index);
      note(answer);
    },
    tally: () => ({ ...count, answered: answered.size }),
    close: () => closeSync(file),
  };
}

/** All answers in the file; none when there is no file. */
export function readAnswers(path: string): readonly Answer[] {
  return readLines(path).filter((line) => 'told' in line);
}

function readLines(path: string): readonly Line[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text) => {
      try {
        // Parse boundary: this file is written by `write` above; what was cut off is no JSON.
        return [JSON.parse(text) as Line];
      } catch {
        return [];
      }
    });
}
