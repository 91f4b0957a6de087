/**
 * Syntax trees of PostgreSQL as libpg-query gives them: `{ Tag: fields }`, where fields that have
 * their default are left out. Here is what is asked of any tree, whatever its statement. Pure; trees
 * are never changed, so parts of one may stand in another.
 */
import type { Node } from '@pgsql/types';

/** Every tag of a node. */
export type Tag = Node extends infer Each ? (Each extends Each ? keyof Each : never) : never;

/** The fields of the node with this tag. */
export type Fields<T extends Tag> = Node extends infer Each
  ? Each extends { readonly [K in T]: infer Value }
    ? Value
    : never
  : never;

/** A field somewhere in a tree: its name (or, of a node, its tag) and what stands there. */
export interface Entry {
  readonly key: string;
  readonly value: unknown;
}

/** All fields of the tree, except what lies under a field of `skipped`. Any depth: no recursion. */
export function* entriesOf(
  tree: unknown,
  skipped: ReadonlySet<string> = new Set(),
): Generator<Entry> {
  const open: unknown[] = [tree];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      for (const item of value.toReversed()) open.push(item);
      continue;
    }
    for (const [key, field] of Object.entries(value)) {
      if (skipped.has(key)) continue;
      yield { key, value: field };
      open.push(field);
    }
  }
}

/** The fields of all nodes with this tag, the tree's own root included. */
export function nodesOf<T extends Tag>(tree: unknown, tag: T): readonly Fields<T>[] {
  const found: Fields<T>[] = [];
  for (const { key, value } of entriesOf(tree)) {
    // Parse boundary: under a tag the parser puts nothing but the fields of that node.
    if (key === tag) found.push(value as Fields<T>);
  }
  return found;
}

/** Whether a node has one of these tags anywhere in it. */
export function hasTag(tree: unknown, tags: ReadonlySet<string>): boolean {
  for (const { key } of entriesOf(tree)) if (tags.has(key)) return true;
  return false;
}

/** The identifiers of a list of `String` nodes. */
export function namesOf(nodes: readonly Node[] | undefined): readonly string[] {
  return (nodes ?? []).map((node) => ('String' in node ? (node.String.sval ?? '') : ''));
}

/** Where a node stood in its text, which is no part of what it says. */
const places: ReadonlySet<string> = new Set([
  'location',
  'name_location',
  'list_start',
  'list_end',
  'rexpr_list_start',
  'rexpr_list_end',
  'stmt_location',
  'stmt_len',
]);

/** Whether two trees say the same, wherever they stand in their texts. */
export function sameTree(one: unknown, other: unknown): boolean {
  return spelled(one) === spelled(other);
}

function spelled(tree: unknown): string {
  return JSON.stringify(tree, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const fields = Object.entries(value).filter(
      ([name, field]) => !places.has(name) && field !== undefined,
    );
    return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
