/**
 * Which rows that are there a new row meets: looked up by every unique key with the values that the
 * statement gives, locked, and read. Guards: `isMet` is never guessed; what cannot be looked up is
 * refused, unless it is counted afterwards.
 */
import type { Session, TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';
import { unsupported } from '../refusal.ts';
import { imageColumns } from '../statement.ts';
import { imageAs } from './compose.ts';
import { exactText } from './given-values.ts';
import { keyCondition } from './image-columns.ts';
import type { NewRow } from './new-rows.ts';
import { imagesUnder, ownAlias } from './stored-rows.ts';
import type { InsertFacts, UniqueKey } from './unique-keys.ts';

/** What one unique key says of the new rows. */
export interface KeyMeetings {
  readonly key: UniqueKey;
  /** For each new row; null: by this key it can meet none (NULL, or numbered by the database). */
  readonly isMet: readonly (boolean | null)[];
}

/** What all of them say. */
export interface Meetings {
  readonly keys: readonly KeyMeetings[];
  /** Every row that is met, once. */
  readonly found: ReadonlyMap<string, Image>;
}

/** `isCounted`: what is not known here is found out by counting, so it need not be refused. */
export async function meetingsOf(
  session: Session,
  { facts, table }: { readonly facts: TableFacts; readonly table: InsertFacts },
  { rows, isCounted }: { readonly rows: readonly NewRow[]; readonly isCounted: boolean },
): Promise<Meetings> {
  const keys: KeyMeetings[] = [];
  const found = new Map<string, Image>();
  // All is known before the first lock is taken.
  const asked = table.keys.map((key) => ({
    key,
    images: rows.map((row) => imageFor({ facts, table, key }, row, isCounted)),
  }));
  for (const { key, images } of asked) {
    const met = await metBy(session, { facts, key, images });
    for (const [text, image] of met.found) found.set(text, image);
    keys.push({ key, isMet: images.map((image, i) => (image === null ? null : met.has(i))) });
  }
  return { keys, found };
}

interface Asked {
  readonly facts: TableFacts;
  readonly key: UniqueKey;
  readonly images: readonly (Image | null)[];
}

async function metBy(session: Session, { facts, key, images }: Asked) {
  const only = {
    columns: facts.columns,
    key: key.columns.map((name) => ({ name, form: 'text' }) as const),
  };
  const conditions = images.flatMap((image, place) =>
    image === null ? [] : [{ place, text: keyCondition(only, ownAlias, image) }],
  );
  if (conditions.length === 0) return { found: new Map<string, Image>(), has: () => false };
  const places = conditions.map(({ place, text }) => `if(${text}, '${place}', null)`).join(', ');
  const { rows } = await session.query(
    `select ${imageAs(facts, ownAlias, imageColumns.before)},
      concat_ws(',', ${places}) as settle_places
    from ${facts.id} as ${ownAlias}
    where ${conditions.map(({ text }) => text).join(' or ')} for update`,
  );
  const met = new Set(rows.flatMap((row) => String(row['settle_places']).split(',').map(Number)));
  return {
    found: imagesUnder(imageColumns.before, facts, rows),
    has: (place: number) => met.has(place),
  };
}

/** The values of the key's columns; null: it can meet no row by this key. */
function imageFor(
  { facts, table, key }: { facts: TableFacts; table: InsertFacts; key: UniqueKey },
  row: NewRow,
  isCounted: boolean,
): Image | null {
  if (key.refusal !== null) {
    if (isCounted) return null;
    throw refused(facts, key, key.refusal);
  }
  const texts: [string, string][] = [];
  for (const name of key.columns) {
    const column = table.columns.find((each) => each.name === name);
    const type = facts.columns.find((each) => each.name === name)?.type ?? '';
    const given = row.given(name);
    const isNull = given.kind === 'null' && column?.isNullable === true;
    const isAbsent = given.kind === 'default' && column?.isNullByDefault === true;
    const isNumbered = column?.isAutoIncrement === true && given.kind !== 'value';
    if ((isNull && !isNumbered) || isAbsent) return null;
    if (isNumbered && given.kind !== 'computed') return null;
    const text = given.kind === 'value' ? exactText(type, given.value) : null;
    if (text !== null) texts.push([name, text]);
    else if (isCounted) return null;
    else throw refused(facts, key, `${name} is no plain value of type ${type}`);
  }
  return Object.fromEntries(texts);
}

function refused({ id }: TableFacts, { name }: UniqueKey, why: string): Error {
  return unsupported(
    `a row of ${id} that may meet others by the key ${name}: ${why}`,
    'look the row up with `select … for update`, then insert or update it',
  );
}
