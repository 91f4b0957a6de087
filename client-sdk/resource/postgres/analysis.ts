/**
 * What one statement of PostgreSQL is: reads, writes, control, session, or refused. Guards: what is
 * not named here is refused, and so is every write or lock that hides inside of another statement.
 */
import type {
  ExplainStmt,
  InsertStmt,
  Node,
  RangeVar,
  TransactionStmt,
  VariableSetStmt,
} from '@pgsql/types';
import type { TableName } from '../facts.ts';
import { unsupported } from '../refusal.ts';
import type { Analysis, ControlStatement, WriteStatement } from '../statement.ts';
import { callsIn } from './calls.ts';
import { lockedTables } from './lock.ts';
import {
  refuseForeignLocks,
  refuseHiddenWrites,
  refuseLocks,
  refuseOwnNames,
  refuseUnstableCopies,
} from './nested.ts';
import { refusedKind } from './refusals.ts';
import { refuseSetting } from './settings.ts';
import type { Fields } from './tree.ts';

/** Throws AT_UNSUPPORTED_SQL. An empty text is of the session. */
export function analysisOf(statements: readonly Node[]): Analysis {
  const [statement, ...more] = statements;
  if (statement === undefined) return { kind: 'session' };
  if (more.length > 0) {
    throw unsupported('several statements in one text', 'send them one by one');
  }
  return ofOne(statement);
}

function ofOne(node: Node): Analysis {
  if ('SelectStmt' in node) return ofSelect(node.SelectStmt);
  if ('InsertStmt' in node) return ofInsert(node.InsertStmt);
  if ('UpdateStmt' in node) return ofUpdate(node.UpdateStmt);
  if ('DeleteStmt' in node) return ofDelete(node.DeleteStmt);
  if ('TransactionStmt' in node) return ofTransaction(node.TransactionStmt);
  if ('ExplainStmt' in node) return ofExplain(node.ExplainStmt);
  if ('VariableSetStmt' in node) return ofSet(node.VariableSetStmt);
  if ('DeclareCursorStmt' in node) return plainRead(node.DeclareCursorStmt.query, 'declare cursor');
  const isOfSession =
    'VariableShowStmt' in node ||
    'FetchStmt' in node ||
    'ClosePortalStmt' in node ||
    'DeallocateStmt' in node ||
    'ListenStmt' in node ||
    'UnlistenStmt' in node;
  if (isOfSession) return { kind: 'session' };
  throw refusedKind(node);
}

function ofSelect(select: Fields<'SelectStmt'>): Analysis {
  refuseHiddenWrites(select);
  if ((select.lockingClause ?? []).length === 0) {
    refuseLocks(select);
    return { kind: 'read', functions: callsIn(select) };
  }
  refuseOwnNames(select);
  const tables = lockedTables(select).map(({ table }) => tableName(table));
  return { kind: 'write', change: 'lock', tables, columnsSet: [], functions: callsIn(select) };
}

function ofInsert(insert: InsertStmt): WriteStatement {
  refuseHiddenWrites(insert);
  refuseLocks(insert);
  refuseOwnNames(insert);
  const updates = insert.onConflictClause?.action === 'ONCONFLICT_UPDATE';
  return {
    kind: 'write',
    change: updates ? 'upsert' : 'insert',
    tables: [tableName(insert.relation)],
    columnsSet: columnsOf(insert.onConflictClause?.targetList),
    functions: callsIn(insert),
  };
}

function ofUpdate(update: Fields<'UpdateStmt'>): WriteStatement {
  refuseHiddenWrites(update);
  refuseForeignLocks(update, update.relation);
  refuseOwnNames(update);
  refuseUnstableCopies(update);
  return {
    kind: 'write',
    change: 'update',
    tables: [tableName(update.relation)],
    columnsSet: columnsOf(update.targetList),
    functions: callsIn(update),
  };
}

function ofDelete(statement: Fields<'DeleteStmt'>): WriteStatement {
  refuseHiddenWrites(statement);
  refuseForeignLocks(statement, statement.relation);
  refuseOwnNames(statement);
  return {
    kind: 'write',
    change: 'delete',
    tables: [tableName(statement.relation)],
    columnsSet: [],
    functions: callsIn(statement),
  };
}

function tableName(relation: RangeVar | undefined): TableName {
  if (relation?.relname === undefined) throw unsupported('a write to no table', 'name the table');
  if (relation.catalogname !== undefined) {
    throw unsupported('a database in the name of a table', 'write `schema.table`');
  }
  return { schema: relation.schemaname ?? null, name: relation.relname };
}

function columnsOf(targets: readonly Node[] | undefined): readonly string[] {
  const names = (targets ?? []).map((node) => ('ResTarget' in node ? node.ResTarget.name : ''));
  return [...new Set(names.map((name) => name ?? ''))];
}

function ofTransaction(statement: TransactionStmt): ControlStatement {
  const name = statement.savepoint_name ?? null;
  if (statement.chain === true) {
    throw unsupported('commit or rollback with `and chain`', 'end it, then begin again');
  }
  if (name?.startsWith('settle_') === true) {
    throw unsupported(
      `the savepoint ${name}`,
      'names that begin with settle_ are taken, use another',
    );
  }
  const control = (verb: ControlStatement['verb']) => ({ kind: 'control', verb, name }) as const;
  switch (statement.kind) {
    case 'TRANS_STMT_BEGIN':
    case 'TRANS_STMT_START':
      refuseModes(statement.options ?? []);
      return control('begin');
    case 'TRANS_STMT_COMMIT':
      return control('commit');
    case 'TRANS_STMT_ROLLBACK':
      return control('rollback');
    case 'TRANS_STMT_SAVEPOINT':
      return control('savepoint');
    case 'TRANS_STMT_RELEASE':
      return control('release');
    case 'TRANS_STMT_ROLLBACK_TO':
      return control('rollbackTo');
    default:
      throw unsupported('two-phase commit of the database', 'use plain begin and commit');
  }
}

/** A user's `begin` becomes a savepoint of a transaction that has READ COMMITTED already. */
const modesGiven: ReadonlySet<string> = new Set([
  'transaction_isolation=read committed',
  'transaction_read_only=0',
  'transaction_deferrable=0',
]);

function refuseModes(options: readonly Node[]): void {
  for (const option of options) {
    if (!('DefElem' in option)) continue;
    const { defname = '', arg } = option.DefElem;
    const value = arg !== undefined && 'A_Const' in arg ? arg.A_Const : {};
    const given = `${defname}=${value.sval?.sval ?? value.ival?.ival ?? 0}`;
    if (modesGiven.has(given)) continue;
    throw unsupported(
      'begin with another mode than `isolation level read committed, read write`',
      'leave the mode out, and lock what must not change with `select … for update`',
    );
  }
}

function ofExplain(explain: ExplainStmt): Analysis {
  const runs = (explain.options ?? []).some(
    (option) => 'DefElem' in option && option.DefElem.defname?.toLowerCase() === 'analyze',
  );
  return runs ? plainRead(explain.query, 'explain analyze') : { kind: 'session' };
}

function plainRead(query: Node | undefined, what: string): Analysis {
  const analysis = query === undefined ? null : ofOne(query);
  if (analysis?.kind === 'read') return analysis;
  throw unsupported(`${what} of a statement that is not a plain select`, `leave out ${what}`);
}

function ofSet(statement: VariableSetStmt): Analysis {
  if (statement.kind === 'VAR_RESET_ALL') {
    throw unsupported('reset all', 'reset the settings one by one');
  }
  const isMode = statement.kind === 'VAR_SET_MULTI';
  if (isMode && statement.name !== 'SESSION CHARACTERISTICS') {
    throw unsupported(
      'set transaction',
      'leave it out: a local transaction is READ COMMITTED; lock rows with `select … for update`',
    );
  }
  refuseSetting(statement.name ?? null);
  return { kind: 'session' };
}
