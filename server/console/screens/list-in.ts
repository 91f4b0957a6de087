/** Answers that are a list under a name, read without trust in more than that. */

/** The list, or an empty one while there is none. */
export function listIn<T>(body: unknown, name: string): readonly T[] {
  if (body === null || typeof body !== 'object') return [];
  const list: unknown = Array.isArray(body) ? body : Reflect.get(body, name);
  // The parse boundary: its lines are what the protocol says of that route.
  return Array.isArray(list) ? (list as readonly T[]) : [];
}
