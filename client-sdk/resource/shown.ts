/**
 * Images as people read them, and pages of them that fit into one answer. Pure. Guards: what an
 * operator is shown is bounded, however wide or long a row is, and says where it was cut; what he
 * chooses by is the digest of the whole row, never what was shown.
 */
import {
  type CallAnswer,
  type HealthAnswer,
  type InspectAnswer,
  type Json,
  type LocksPage,
  limits,
  type ResolveAnswer,
  type ShownRow,
} from '../protocol/index.ts';
import type { Column } from './facts.ts';
import type { Image } from './image.ts';
import { isWeight } from './row-key.ts';

/** A text of an image as people read it, by the type of its column. */
export type Readable = (type: string, text: string) => string;

/** How much of a row is shown. */
export interface Detail {
  /** Of each text. */
  readonly lengthMax: number;
  /** Null: all columns. */
  readonly names: ReadonlySet<string> | null;
}

/** One row in several images. */
export interface ShownImages {
  readonly images: readonly (ShownRow | null)[];
  /** Columns of which a text was cut, in any of the images. */
  readonly cut: readonly string[];
  /** Columns that are not shown, for the row is too wide. */
  readonly columnsLeftOut: number;
}

/** The images with the texts of these columns; a column that its table has no more is shown raw. */
export function shownImages(
  images: readonly (Image | null)[],
  columns: readonly Column[],
  { lengthMax, names }: Detail,
  readable: Readable,
): ShownImages {
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  const cut = new Set<string>();
  const leftOut = new Set<string>();
  const textOf = (name: string, text: string): string => {
    const type = types.get(name);
    const whole = type === undefined ? text : readable(type, text);
    if (whole.length <= lengthMax) return whole;
    cut.add(name);
    return shortened(whole, lengthMax);
  };
  const shown = images.map((image) => {
    if (image === null) return null;
    const own = Object.entries(image).filter(([name]) => !isWeight(name));
    const wanted = own.filter(([name]) => names === null || names.has(name));
    for (const [name] of own) if (names !== null && !names.has(name)) leftOut.add(name);
    return Object.fromEntries(
      wanted.map(([name, text]) => [name, text === null ? null : textOf(name, text)]),
    );
  });
  return { images: shown, cut: [...cut], columnsLeftOut: leftOut.size };
}

/** Never half of a letter that takes two units. */
export function shortened(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax).toWellFormed()}…`;
}

/** Where a row is too long or too wide for one answer: shorter texts first, then fewer columns. */
const lengthsMax = [4_096, 512, 64] as const;
const columnsMax = 24;

/**
 * The row with as much detail as fits. `names`: the columns that matter most, if not all can be
 * shown.
 */
export function fitting<T>(names: readonly string[], make: (detail: Detail) => T): T {
  for (const lengthMax of lengthsMax) {
    const row = make({ lengthMax, names: null });
    if (bytesOf(row) <= rowBytesMax) return row;
  }
  return make({ lengthMax: 64, names: new Set(names.slice(0, columnsMax)) });
}

/** As many of the rows as fit into so many bytes, at least one of them. */
export function pageOf<From, T>(
  rows: readonly From[],
  bytesMax: number,
  make: (row: From) => T,
): readonly T[] {
  const page: T[] = [];
  let bytes = 0;
  for (const row of rows) {
    const made = make(row);
    bytes += bytesOf(made) + 1;
    if (page.length > 0 && bytes > Math.min(bytesMax, pageBytesMax)) break;
    page.push(made);
  }
  return page;
}

/** An answer has at most 64 KiB; what stands around the rows is less than the rest. */
const pageBytesMax = limits.payloadBytesMax - 4_096;
const rowBytesMax = pageBytesMax - 4_096;

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

/** An answer as JSON. What is answered here is made of texts, numbers, lists and plain objects. */
export function asJson(answer: InspectAnswer | LocksPage | ResolveAnswer | HealthAnswer): Json {
  // A parse boundary: the types of the answers say `readonly` fields where Json has an index.
  return answer as unknown as Json;
}

/** To a question of another version, or of nobody. */
export const notUnderstood: CallAnswer = {
  outcome: 'refused',
  error: 'INVALID_REQUEST: this version of the SDK does not understand the question',
};
