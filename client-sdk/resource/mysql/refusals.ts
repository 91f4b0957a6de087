/**
 * Kinds of statements that are refused whatever they say, by their first word: each with its shape
 * and what to write instead. A word that is not here is refused as well.
 */
import type { SettleError } from '../../errors.ts';
import { unsupported } from '../refusal.ts';

type Shape = readonly [what: string, hint: string];

const schemaHint =
  'change the schema in a migration, outside of a global transaction (it would commit)';
const outsideHint = 'run it outside of a global transaction';
const codeHint = 'write its statements here, one by one';
const sendHint = 'send the statement itself; drivers prepare it with execute()';

const shapes: Readonly<Record<string, Shape>> = {
  truncate: ['truncate, which commits', 'use `delete from` it, in batches if it is large'],
  load: ['load data', 'insert the rows with `insert into … values`, in batches'],
  call: ['call', codeHint],
  do: ['do', 'use a select'],
  handler: ['handler', 'use a select'],
  lock: ['lock tables, which commits', 'lock the rows with `select … for update`'],
  unlock: ['unlock tables, which commits', 'leave it out'],
  prepare: ['prepare', sendHint],
  execute: ['execute', sendHint],
  deallocate: ['deallocate', sendHint],
  use: ['use', 'name the database before the table: `shop.orders`'],
  xa: ['two-phase commit of the database', 'use plain begin and commit'],
  with: ['a write with `with`', 'put its select into a subquery'],
  set: [
    'set of anything but a variable of the user and a few limits',
    'set it in the options of the pool',
  ],
  ...Object.fromEntries(
    ['create', 'alter', 'drop', 'rename', 'grant', 'revoke'].map((word) => [
      word,
      [word, schemaHint] as const,
    ]),
  ),
};

/** The refusal of a statement for its first word. */
export function refusedKind(word: string): SettleError {
  const [what, hint] = Object.hasOwn(shapes, word) ? (shapes[word] ?? []) : [];
  return unsupported(what ?? (word || 'this statement'), hint ?? outsideHint);
}
