/**
 * What is known of a text of SQL, remembered by the text. Bounded by entries and by characters, the
 * least recently used goes first; long texts are bulk data that seldom come twice and stay out.
 */

/** Statements of one service: few, unless it writes literals into its texts. */
const entriesMax = 1_000;
/** Of all texts together; a JavaScript string takes up to two bytes for each. */
const charactersMax = 4_000_000;
/** Of one text. */
const textLengthMax = 100_000;

/** Findings by text. */
export interface TextCache<Finding> {
  get(text: string): Finding | undefined;
  /** `extra`: characters that the finding itself holds. Replaces what was known of the text. */
  set(text: string, finding: Finding, extra?: number): void;
}

/** An empty one. */
export function createTextCache<Finding>(): TextCache<Finding> {
  const entries = new Map<string, { readonly finding: Finding; readonly size: number }>();
  let characters = 0;
  const drop = (text: string) => {
    characters -= entries.get(text)?.size ?? 0;
    entries.delete(text);
  };
  return {
    get(text) {
      const entry = entries.get(text);
      if (entry === undefined) return undefined;
      // A Map keeps the order of insertion: the first key is the one that was not used for longest.
      entries.delete(text);
      entries.set(text, entry);
      return entry.finding;
    },
    set(text, finding, extra = 0) {
      drop(text);
      const size = text.length + extra;
      if (size > textLengthMax) return;
      entries.set(text, { finding, size });
      characters += size;
      for (const oldest of entries.keys()) {
        if (entries.size <= entriesMax && characters <= charactersMax) break;
        drop(oldest);
      }
    },
  };
}
