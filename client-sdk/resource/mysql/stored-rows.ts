/**
 * Images of rows by their keys, and what comes of rows with images. Guards: a row that has no image
 * (longer than a packet may be) stops the statement, and none is counted twice.
 */
import { SettleError } from '../../errors.ts';
import { limits } from '../../protocol/index.ts';
import type { Session, TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';
import { unsupported } from '../refusal.ts';
import { rowKey } from '../row-key.ts';
import { imageColumns } from '../statement.ts';
import { imageAs } from './compose.ts';
import { imageOf, isWhole, keyCondition } from './image-columns.ts';
import { lookColumn, undoLook } from './undo-rows.ts';

/** Images by the key of their row. */
export type Rows = ReadonlyMap<string, Image>;

/** What our own selects call the table. */
export const ownAlias = 'settle_row';

/** As many in one text as the optimizer of the server looks at by index. */
const keysInTextMax = 500;

/**
 * The images under this column. Rows of an outer join that are not there have none. Throws
 * LIMIT_EXCEEDED for more rows than a local transaction may change.
 */
export function imagesUnder(
  column: string,
  facts: TableFacts,
  rows: readonly Readonly<Record<string, unknown>>[],
): Rows {
  const images = new Map<string, Image>();
  for (const row of rows) {
    const text = row[column];
    if (!isWhole(text)) {
      throw unsupported(
        `a row of ${facts.id} that is too long to be read as one text`,
        'raise max_allowed_packet to five times its length',
      );
    }
    const image = imageOf(facts, text);
    if (facts.key.some(({ name }) => image[name] === null)) continue;
    images.set(rowKey(facts, image), image);
  }
  if (images.size <= limits.undoRowsMax) return images;
  const detail = `one local transaction changes at most ${limits.undoRowsMax} rows`;
  throw new SettleError('LIMIT_EXCEEDED', detail);
}

/** Those of the rows that are there, locked. Of the images only the keys are read. */
export async function rowsByKey(
  session: Session,
  facts: TableFacts,
  images: readonly Image[],
): Promise<Rows> {
  return rowsWhere(
    session,
    facts,
    images.map((image) => keyCondition(facts, ownAlias, image)),
  );
}

/** The rows for which one of the conditions is true, locked. */
export async function rowsWhere(
  session: Session,
  facts: TableFacts,
  conditions: readonly string[],
): Promise<Rows> {
  const found = new Map<string, Image>();
  for (let at = 0; at < conditions.length; at += keysInTextMax) {
    const some = conditions.slice(at, at + keysInTextMax).join(' or ');
    const { rows } = await session.query(selectOf(facts, '', some));
    for (const [key, row] of imagesUnder(imageColumns.before, facts, rows)) found.set(key, row);
  }
  return found;
}

/** Rows that this local transaction has locked before, as they are now, and whose they are. */
export interface LockedRows {
  readonly rows: Rows;
  /** Nobody has undo rows on any of them; see `Written`. False as well when nobody has looked. */
  readonly areFree: boolean;
}

/** A look at more of them would make the text long, and they are not on the way of everybody. */
const looksMax = 64;

/**
 * Those of the rows that are there, by their row keys. They are locked by an earlier statement, so what
 * this one sees of undo rows was there before, and nothing comes after it.
 */
export async function lockedRows(
  session: Session,
  facts: TableFacts,
  locked: Rows,
): Promise<LockedRows> {
  const images = [...locked.values()];
  if (images.length === 0 || images.length > looksMax) {
    return { rows: await rowsByKey(session, facts, images), areFree: false };
  }
  const look = undoLook([...locked.keys()].map((key) => ({ table: facts.id, key })));
  const some = images.map((image) => keyCondition(facts, ownAlias, image)).join(' or ');
  const { rows } = await session.query(selectOf(facts, `, ${look}`, some));
  const found = imagesUnder(imageColumns.before, facts, rows);
  const areSeen = found.size === images.length;
  return { rows: found, areFree: areSeen && rows.every((row) => Number(row[lookColumn]) === 0) };
}

function selectOf(facts: TableFacts, more: string, where: string): string {
  const image = imageAs(facts, ownAlias, imageColumns.before);
  return `select ${image}${more} from ${facts.id} as ${ownAlias} where ${where} for update`;
}
