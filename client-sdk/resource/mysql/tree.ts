/**
 * Trees as the parser gives them: `{ Tag: fields }`, null for what is not there. Its own types don't
 * say exactly what it gives, so trees are read as unknown. Pure.
 */

type Fields = Readonly<Record<string, unknown>>;

/** The fields of a node; none for anything else. */
export function fieldsOf(node: unknown): Fields {
  // Parse boundary: any object is a record of unknown fields.
  return typeof node === 'object' && node !== null ? (node as Fields) : {};
}

/** What stands under these fields, one within the other. */
export function under(node: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => fieldsOf(inner)[name] ?? null, node);
}

/** A list; empty for anything else. */
export function listOf(node: unknown): readonly unknown[] {
  return Array.isArray(node) ? node : [];
}

/** All fields anywhere in the tree. Any depth: no recursion. */
export function* entriesOf(tree: unknown): Generator<readonly [name: string, value: unknown]> {
  const open: unknown[] = [tree];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== 'object' || node === null) continue;
    for (const entry of Object.entries(node)) {
      yield entry;
      open.push(entry[1]);
    }
  }
}

/** How often a tag stands anywhere in the tree. */
export function countOf(tree: unknown, ...tags: readonly string[]): number {
  let count = 0;
  for (const [name] of entriesOf(tree)) if (tags.includes(name)) count += 1;
  return count;
}

/** The parts of `schema.table.column`. */
export function namesOf(name: unknown): readonly string[] {
  return listOf(name).map((part) => String(under(part, 'Identifier', 'value') ?? ''));
}

/** A table, or something else, in `from`. */
export interface Source {
  /** Null: no plain table. */
  readonly table: { readonly schema: string | null; readonly name: string } | null;
  /** Its alias, or its name: how expressions name it. */
  readonly reference: string;
}

/** Tables through joins, in their order. */
export function sourcesOf(from: unknown): readonly Source[] {
  const items = Array.isArray(from) ? from : [from];
  return items.flatMap((item) => {
    const joins = listOf(under(item, 'joins'));
    return [item, ...joins].map((one) => sourceOf(under(one, 'relation')));
  });
}

function sourceOf(relation: unknown): Source {
  const fields = fieldsOf(under(relation, 'Table'));
  const names = namesOf(fields['name']);
  const alias = under(fields['alias'], 'name', 'value');
  const [name = '', schema = null, ...more] = names.toReversed();
  const isPlain =
    names.length > 0 && more.length === 0 && (fields['args'] ?? null) === null && name !== '';
  return {
    table: isPlain ? { schema, name } : null,
    reference: typeof alias === 'string' ? alias : name,
  };
}
