/**
 * A process to be killed: `node append-child.ts URL` takes the log over and appends to 64 gids,
 * one row each per batch, for ever. Each line on stdout was written before the next append:
 * `term E`, then `appended S`, `fenced S`, or `unknown S` (then it waits for a line on stdin and
 * sends the same rows again), where S is the seq of the batch. It ends when it is fenced.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { openLog } from '../../server/log/index.ts';
import { childBatch } from './log-rows.ts';

const [url = ''] = process.argv.slice(2);
const log = await openLog(url, { migrate: true });
const term = await log.takeOver('child', '127.0.0.1:7400', Date.now());
const stdin = createInterface({ input: process.stdin });
// Synchronous, so that a kill cannot swallow a line whose append was answered.
const tell = (word: string, number: number) => writeSync(1, `${word} ${number}\n`);

tell('term', term.epoch);
for (let seq = 1; ; ) {
  const answers = new Set(await log.append(term, childBatch(term, seq)));
  const [answer = 'unknown'] = answers;
  if (answers.size !== 1) throw new Error(`mixed answers: ${[...answers].join()}`);
  tell(answer, seq);
  if (answer === 'fenced') break;
  if (answer === 'unknown') await new Promise((resolve) => stdin.once('line', resolve));
  else seq += 1;
}
stdin.close();
await log.close();
