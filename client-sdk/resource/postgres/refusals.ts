/**
 * Kinds of statements that are refused whatever they say: each with its shape and what to write
 * instead. A kind that is neither here nor in `analysis.ts` is refused as well.
 */
import type { Node } from '@pgsql/types';
import type { SettleError } from '../../errors.ts';
import { unsupported } from '../refusal.ts';
import type { Tag } from './tree.ts';

type Shape = readonly [what: string, hint: string];

const schemaHint = 'change the schema in a migration, outside of a global transaction';
const bulkHint = 'insert the rows with `insert into … values`, in batches';
const codeHint = 'write its statements here, one by one';

const shapes: Readonly<Partial<Record<Tag, Shape>>> = {
  MergeStmt: ['merge', 'use `insert … on conflict (key) do update`, `update … from` or `delete`'],
  TruncateStmt: ['truncate', 'use `delete from` it, in batches if it is large'],
  CopyStmt: ['copy', bulkHint],
  CallStmt: ['call', codeHint],
  DoStmt: ['do', codeHint],
  LockStmt: ['lock table', 'lock the rows with `select … for update`'],
  PrepareStmt: ['prepare', 'send the statement itself; a driver can prepare it by a name'],
  ExecuteStmt: ['execute', 'send the statement itself; a driver can prepare it by a name'],
  NotifyStmt: ['notify', 'send it when the global transaction has committed'],
  DiscardStmt: ['discard', 'take another connection'],
  ConstraintsSetStmt: ['set constraints', 'order the statements so that each one is valid'],
  RefreshMatViewStmt: ['refresh materialized view', 'refresh it after the global transaction'],
  VacuumStmt: ['vacuum or analyze', 'run it outside of a global transaction'],
  ReindexStmt: ['reindex', 'run it outside of a global transaction'],
  ClusterStmt: ['cluster', 'run it outside of a global transaction'],
  CheckPointStmt: ['checkpoint', 'run it outside of a global transaction'],
  LoadStmt: ['load', 'run it outside of a global transaction'],
  AlterSystemStmt: ['alter system', 'run it outside of a global transaction'],
  CreateTableAsStmt: ['create table as', schemaHint],
  RuleStmt: ['create rule', schemaHint],
  IndexStmt: ['create index', schemaHint],
  ViewStmt: ['create view', schemaHint],
  GrantStmt: ['grant or revoke', schemaHint],
  GrantRoleStmt: ['grant or revoke', schemaHint],
  RenameStmt: ['alter … rename', schemaHint],
  CommentStmt: ['comment', schemaHint],
};

/** The refusal of a statement for its kind. */
export function refusedKind(statement: Node): SettleError {
  // Parse boundary: a node has one key, its tag.
  const tag = (Object.keys(statement)[0] ?? '') as Tag;
  const [what, hint] = shapes[tag] ?? [wordsOf(tag), schemaHint];
  return unsupported(what, hint);
}

/** `AlterTableStmt` reads `alter table`. */
function wordsOf(tag: string): string {
  const name = tag.replace(/Stmt$/, '').replace(/(?<=[a-z])(?=[A-Z])/g, ' ');
  return name.toLowerCase() || 'a statement of no known kind';
}
