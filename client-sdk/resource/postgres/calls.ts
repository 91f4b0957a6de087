/**
 * Functions that a statement calls. Whether one may write, the catalogue knows (`Catalog.writers`);
 * those that do something else that no undo row takes back are refused here.
 */
import type { Node } from '@pgsql/types';
import type { FunctionName } from '../facts.ts';
import { unsupported } from '../refusal.ts';
import { refuseSetting } from './settings.ts';
import { type Fields, namesOf, nodesOf } from './tree.ts';

/** They reach others when the local transaction commits, before the global one is decided. */
const messages: ReadonlySet<string> = new Set(['pg_notify', 'pg_logical_emit_message']);

/**
 * Every function that is called anywhere in the tree, once each, quoted where SQL needs it. Throws
 * AT_UNSUPPORTED_SQL for messages and settings. Not seen: functions behind operators, casts and
 * `row.function`.
 */
export function callsIn(tree: unknown): readonly FunctionName[] {
  const names = new Set<FunctionName>();
  for (const call of nodesOf(tree, 'FuncCall')) {
    const parts = namesOf(call.funcname);
    refuseBuiltIn(parts, call);
    names.add(parts.map(quoted).join('.'));
  }
  return [...names];
}

function refuseBuiltIn(parts: readonly string[], call: Fields<'FuncCall'>): void {
  if (parts.length > 1 && parts[0] !== 'pg_catalog') return;
  const name = parts.at(-1) ?? '';
  if (messages.has(name)) {
    throw unsupported(name, 'send it when the global transaction has committed');
  }
  if (name === 'set_config') refuseSetting(constantText(call.args?.[0]));
}

/** Null: it is not known before the statement runs. */
function constantText(node: Node | undefined): string | null {
  if (node === undefined || !('A_Const' in node)) return null;
  return node.A_Const.sval?.sval ?? null;
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
