/**
 * Which of several databases a key lives in. A router knows nothing of transactions: inside one,
 * each node that is touched is a resource (or a TCC method's database) by itself, so one that was
 * touched alone commits alone. Invariant: the same key finds the same node in every process, in every
 * language, as long as the list of nodes stays as it is.
 */
import { SettleError } from '../errors.ts';

/** How keys are spread. */
export interface ShardRouterOptions<Key, Node> {
  /**
   * In an order that never changes, the same in every process. To add one moves keys: data has to be
   * moved before.
   */
  readonly nodes: readonly Node[];
  /** The text of a key; by default `String(key)`. */
  readonly key?: (key: Key) => string;
  /** The index of the node for a text; by default {@link shardIndex}. */
  readonly index?: (text: string, count: number) => number;
}

/** Finds nodes. */
export interface ShardRouter<Key, Node> {
  readonly nodes: readonly Node[];
  /** The node of a key. INVALID_CONFIG when the function that was given finds none. */
  of(key: Key): Node;
  /** The work on every node at once. Answers in their order, or rejects with the first error. */
  scatter<T>(work: (node: Node, index: number) => Promise<T>): Promise<readonly T[]>;
}

/** A router; INVALID_CONFIG without nodes. */
export function shardRouter<Node, Key = string>(
  options: ShardRouterOptions<Key, Node>,
): ShardRouter<Key, Node> {
  const { nodes, key: textOf = String, index = shardIndex } = options;
  if (nodes.length === 0) throw new SettleError('INVALID_CONFIG', 'shardRouter: no nodes');
  return {
    nodes,
    of(key) {
      const at = index(textOf(key), nodes.length);
      const node = nodes[at];
      if (node !== undefined) return node;
      throw new SettleError('INVALID_CONFIG', `shardRouter: there is no node ${at}`);
    },
    scatter: (work) => Promise.all(nodes.map(work)),
  };
}

/**
 * FNV-1a, 32 bits, over the text in UTF-8, modulo the count: easy to do in any language, and even
 * enough for keys that people choose.
 */
export function shardIndex(text: string, count: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % count;
}
