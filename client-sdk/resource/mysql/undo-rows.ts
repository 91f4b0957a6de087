/**
 * The statements on `settle_undo` of MySQL. Invariants: rows are locked through the primary key
 * first and always, so that who inserts, who clears and who restores meet in one order; a list of
 * keys is joined as a table, for a condition with a list is answered by reading through the whole
 * table as soon as the list holds much of it, and that waits for the rows of others.
 */
import type { Gid } from '../../protocol/index.ts';
import type { BranchKey } from '../dialect.ts';
import type { Session, SessionRows } from '../facts.ts';
import { type Image, type NumberedStep, rowIdentity, type Step } from '../image.ts';
import type { Occupant } from '../undo-rounds.ts';
import { nullableLiteral, textLiteral, wholeLiteral } from './literals.ts';

/** Where an undo row stands, up to its step. */
export type UndoPlace = Pick<Step, 'table' | 'key'>;

/** An undo row as it was stored. */
export interface UndoRow extends Step {
  readonly undoId: string;
}

/** Of one statement; a statement of the server holds 16 MiB and more. */
const textCharactersMax = 2_000_000;
const placesMax = 500;

/**
 * Inserts the steps, in statements of bounded size. False when one of their places is taken: what
 * is there is locked then, for ourselves alone, and rows of earlier statements may stand. Each
 * statement waits for local transactions in flight that insert or delete the same rows.
 */
export async function insertSteps(
  session: Session,
  branch: BranchKey,
  steps: readonly NumberedStep[],
): Promise<boolean> {
  for (const text of undoInserts(branch, steps)) {
    try {
      await session.query(text);
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    }
  }
  return true;
}

/** The texts of {@link insertSteps}, each of bounded size; they throw what {@link isTaken} knows. */
export function undoInserts(
  { gid, branchId }: BranchKey,
  steps: readonly NumberedStep[],
): readonly string[] {
  const rest = `${textLiteral(gid)}, ${wholeLiteral(branchId)}, ${wholeLiteral(Date.now())}`;
  const rows = steps.map(
    ({ table, key, number, position, before, after }) =>
      `(${textLiteral(table)}, ${textLiteral(asciiOnly(key))}, ${wholeLiteral(number)},
        ${wholeLiteral(position)}, ${imageLiteral(before)}, ${imageLiteral(after)}, ${rest})`,
  );
  return chunks(rows).map((texts) => `${insertion} values ${texts.join(',')} ${unlessTaken}`);
}

// undo_id is numbered in the order of the values.
const insertion = `insert into settle_undo (table_name, row_key, step, position,
  before_image, after_image, gid, branch_id, created_at_ms)`;

// A plain duplicate would leave a shared lock on the row in the way; two who share it and both want
// to clear it are a deadlock. An update takes the row for ourselves, and this one always fails, in
// every sql_mode, and takes its statement back.
const unlessTaken = 'on duplicate key update step = step + 9223372036854775807 + 1';

/** ER_DATA_OUT_OF_RANGE; of these statements only the update above can say it. */
export function isTaken(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && error.errno === 1690;
}

/** The column is ASCII, and a letter that is not would be stored as `?`. */
function asciiOnly(key: string): string {
  if (/[^\x20-\x7e]/.test(key)) throw new Error('a row key of MySQL is ASCII');
  return key;
}

function imageLiteral(image: Image | null): string {
  return nullableLiteral(image && JSON.stringify(image));
}

/** At least one text in each, in their order. */
function chunks(texts: readonly string[]): readonly (readonly string[])[] {
  const all: string[][] = [];
  let characters = Number.POSITIVE_INFINITY;
  for (const text of texts) {
    characters += text.length;
    const last = all.at(-1);
    if (last !== undefined && characters <= textCharactersMax) last.push(text);
    else {
      all.push([text]);
      characters = text.length;
    }
  }
  return all;
}

/** Who stands on these places, as committed or by ourselves; nothing is locked. */
export async function occupantsOf(
  session: Session,
  places: readonly UndoPlace[],
): Promise<readonly Occupant[]> {
  const found = await onPlaces(
    places,
    (given) => `select u.table_name as t, u.row_key as k, u.gid as gid, max(u.step) + 1 as steps
      from ${given} group by u.table_name, u.row_key, u.gid`,
    (text) => session.query(text),
  );
  return found.map((row) => ({
    table: String(row['t']),
    key: String(row['k']),
    gid: String(row['gid']),
    steps: Number(row['steps']),
  }));
}

/**
 * The gids of others that stand on these places; nothing is locked, so that a plain condition will do
 * (105 us of the server's processor time against 200 for a join).
 */
export async function othersOn(
  session: Session,
  gid: Gid,
  places: readonly UndoPlace[],
): Promise<readonly (UndoPlace & { readonly gid: Gid })[]> {
  const found: SessionRows['rows'][number][] = [];
  for (let start = 0; start < places.length; start += placesMax) {
    const some = places.slice(start, start + placesMax);
    const text = `select table_name as t, row_key as k, gid as gid ${ofOthers(gid, some)}`;
    found.push(...(await session.query(text)).rows);
  }
  return found.map((row) => ({
    table: String(row['t']),
    key: String(row['k']),
    gid: String(row['gid']),
  }));
}

/** Whether {@link othersOn} would find anybody, as a condition; null: it takes more than one text. */
export function areOthersOn(gid: Gid, places: readonly UndoPlace[]): string | null {
  if (places.length > placesMax) return null;
  return `exists (select 1 ${ofOthers(gid, places)})`;
}

function ofOthers(gid: Gid, places: readonly UndoPlace[]): string {
  return `from settle_undo force index (primary)
    where (${places.map(isOn).join(' or ')}) and step = 0
      and gid <> convert(${textLiteral(gid)} using ascii) collate ascii_bin`;
}

/** Under this name {@link undoLook} answers 1 when there is one, else 0. */
export const lookColumn = 'settle_taken';

/** Whether anybody has undo rows on one of these places: a column of a select. Nothing of them is locked. */
export function undoLook(places: readonly UndoPlace[]): string {
  const where = places.map(isOn).join(' or ');
  return `exists (select 1 from settle_undo force index (primary) where ${where}) as ${lookColumn}`;
}

/** A text as it is without {@link undoLook}. */
export function withoutLook(text: string): string {
  const start = text.indexOf(', exists (select 1 from settle_undo ');
  const end = `) as ${lookColumn}`;
  if (start === -1) return text;
  return text.slice(0, start) + text.slice(text.indexOf(end, start) + end.length);
}

/** In the character sets of the columns, so that there is an index for it. */
function isOn({ table, key }: UndoPlace): string {
  return `(table_name = convert(${textLiteral(table)} using utf8mb4) collate utf8mb4_bin
    and row_key = convert(${textLiteral(key)} using ascii) collate ascii_bin)`;
}

/** The places of these gids' undo rows that are committed, or our own; nothing is locked. */
export async function placesOf(
  session: Session,
  gids: readonly Gid[],
): Promise<readonly UndoPlace[]> {
  const list = gids.map((gid) => textLiteral(gid)).join(', ');
  // By (gid, undo_id).
  const { rows } = await session.query(
    `select distinct table_name as t, row_key as k from settle_undo where gid in (${list})`,
  );
  return rows.map((row) => ({ table: String(row['t']), key: String(row['k']) }));
}

/** Deletes the rows on these places that are of one of the gids, or of the branch. */
export async function deletePlaces(
  session: Session,
  whose: readonly Gid[] | BranchKey,
  places: readonly UndoPlace[],
): Promise<void> {
  const condition =
    'branchId' in whose
      ? `u.gid = ${textLiteral(whose.gid)} and u.branch_id = ${wholeLiteral(whose.branchId)}`
      : `u.gid in (${whose.map((gid) => textLiteral(gid)).join(', ')})`;
  const text = (given: string) => `${deletion} u from ${given} where ${condition}`;
  await onPlaces(places, text, (statement) => session.query(statement));
}

// A join counts as a delete without a key under sql_safe_updates. Of the two ways to switch that off
// for one statement each server reads its own and takes the other for a comment.
const deletion = `/*M! set statement sql_safe_updates = 0 for */
  delete /*+ set_var(sql_safe_updates = 0) */`;

/** The rows of the gid on these places, newest first; locked, unless they are only read. */
export async function undoRowsOn(
  session: Session,
  gid: Gid,
  places: readonly UndoPlace[],
  lock: 'for update' | '',
): Promise<readonly UndoRow[]> {
  const found = await onPlaces(
    places,
    (
      given,
    ) => `select cast(u.undo_id as char) as id, u.table_name as t, u.row_key as k, u.before_image as b,
      u.after_image as a from ${given} where u.gid = ${textLiteral(gid)} ${lock}`,
    (text) => session.query(text),
  );
  const rows = found.map((row) => ({
    undoId: String(row['id']),
    table: String(row['t']),
    key: String(row['k']),
    before: storedImage(row['b']),
    after: storedImage(row['a']),
  }));
  return rows.sort((one, other) => (BigInt(one.undoId) < BigInt(other.undoId) ? 1 : -1));
}

function storedImage(text: unknown): Image | null {
  if (text === null) return null;
  if (typeof text !== 'string') throw new Error('an image did not come as a text');
  // A parse boundary: only the undo store writes there.
  return JSON.parse(text) as Image;
}

/** One statement for so many places, in one order whoever asks. */
async function onPlaces(
  places: readonly UndoPlace[],
  statement: (given: string) => string,
  run: (text: string) => Promise<SessionRows>,
): Promise<readonly SessionRows['rows'][number][]> {
  const distinct = new Map(places.map((place) => [rowIdentity(place), place]));
  const sorted = [...distinct].sort(([one], [other]) => (one < other ? -1 : 1));
  const found: SessionRows['rows'][number][] = [];
  for (let start = 0; start < sorted.length; start += placesMax) {
    const some = sorted.slice(start, start + placesMax).map(([, place]) => place);
    found.push(...(await run(statement(givenPlaces(some)))).rows);
  }
  return found;
}

/** Without the conversions the comparison may be in a character set that has no index. */
function givenPlaces(places: readonly UndoPlace[]): string {
  const rows = places.map(({ table, key }, index) => {
    const [t, k] = [textLiteral(table), textLiteral(key)];
    return index === 0 ? `select ${t} as t, ${k} as k` : `select ${t}, ${k}`;
  });
  return `(${rows.join(' union all ')}) given straight_join settle_undo u force index (primary)
    on u.table_name = convert(given.t using utf8mb4) collate utf8mb4_bin
      and u.row_key = convert(given.k using ascii) collate ascii_bin`;
}
