/**
 * A stage on which writes are played: the code that runs them, with nothing behind it. What it sends
 * is written down, and each text is answered with rows made up for it. So it shows the very texts
 * that run, and refuses what would be refused. Invariant: there is no connection here.
 *
 * Values of made-up rows, and keys by which rows are read, are shown as `<column>`.
 */
import type { UserStatement } from '../database.ts';
import type { WriteJob } from '../dialect.ts';
import type { Session, SessionRows, TableFacts } from '../facts.ts';
import type { Image } from '../image.ts';
import { weightOf } from '../row-key.ts';
import { imageColumns } from '../statement.ts';
import { allRows } from './compose.ts';
import { imageText, readingOf, writtenAs } from './image-columns.ts';
import { quoted } from './names.ts';
import { withoutLook } from './undo-rows.ts';
import type { MysqlWriter } from './write.ts';

/** A write, and what it finds. */
export interface Play extends Pick<WriteJob<null, Rows>, 'write' | 'facts'> {
  readonly text: string;
  readonly parameters: readonly unknown[];
  /** How many rows it changes. */
  readonly rows: number;
  /** How many of them an insert meets, when it looks for the nth time before it runs (from 0). */
  readonly met: (lookup: number) => number;
  /** How many rows the database says that it has changed. */
  readonly changed: number;
}

/** What was sent. */
export interface Played {
  /** In their order. */
  readonly texts: readonly string[];
  /** How many of them looked for rows that an insert meets. */
  readonly lookups: number;
}

type Rows = readonly Readonly<Record<string, unknown>>[];

/** Throws AT_UNSUPPORTED_SQL where it would be refused. */
export async function played(writer: MysqlWriter, play: Play): Promise<Played> {
  const { text, parameters, write, facts, met } = play;
  const texts: string[] = [];
  const madeUp = Array.from({ length: play.rows }, (_, index) => madeUpRow(play, index));
  let lookups = 0;
  let hasRun = false;
  const statement: UserStatement<null, Rows> = {
    ...{ text, parameters, results },
    perform: () => Promise.reject(new Error('nothing runs on a stage')),
  };
  const session: Session = {
    async query(own): Promise<SessionRows> {
      // The look at undo rows, which goes along, is none at the table.
      texts.push(withPlaces(withoutLook(own)));
      const found = madeUp.slice(0, hasRun ? madeUp.length : met(lookups));
      if (!hasRun) lookups += 1;
      // Which of the new rows are met: as many as there are rows to meet.
      const rows = found.map((row) => ({ ...row, settle_places: [...found.keys()].join(',') }));
      return { rows, count: rows.length };
    },
  };
  const perform = async (own: string): Promise<Rows> => {
    hasRun = true;
    // It is there for sessions with a limit of their own, and tells a reader nothing.
    texts.push(facts.reduce(withMadeUpPlaces, own.replace(` ${allRows}`, '')));
    return madeUp;
  };
  await writer.write({ write, facts, statement, session, perform });
  return { texts, lookups };
}

const results: UserStatement<null, Rows>['results'] = {
  rowsOf: (rows) => rows,
  without: (rows) => rows,
};

/** One row that answers every text: whatever column is asked for, it has it. */
function madeUpRow({ facts, changed }: Play, index: number): Rows[number] {
  const [first] = facts;
  const images = facts.map((each, at) => {
    const suffix = at === 0 ? '' : `_${at + 1}`;
    return [`${imageColumns.before}${suffix}`, imageText(each, madeUpImage(each, index))] as const;
  });
  return {
    ...Object.fromEntries(images),
    ...(first === undefined ? {} : { [imageColumns.after]: images[0]?.[1] }),
    // What `row_count()` and `last_insert_id()` say.
    ...{ changed, first: '1', step: '1' },
  };
}

/** Each row has other values, so that none is taken for another one. */
function madeUpImage(facts: TableFacts, index: number): Image {
  const columns = facts.columns.map(({ name, type }) => [name, madeUpText(type, index)]);
  const weights = facts.key.map(({ name }) => [weightOf(name), hexOf(index)]);
  return Object.fromEntries([...columns, ...weights]);
}

/** Far from what anybody writes into a statement. */
const madeUpNumber = 4_000_000_001;

function madeUpText(type: string, index: number): string {
  const number = String(madeUpNumber + index);
  switch (readingOf(type)?.kind) {
    case 'number':
    case 'bits':
    case 'instant':
    case 'double':
      return number;
    case 'choice':
      return `${number}:61`;
    case 'printed':
      return `row ${number}`;
    default:
      return hexOf(index);
  }
}

function hexOf(index: number): string {
  return Buffer.from(String(madeUpNumber + index))
    .toString('hex')
    .toUpperCase();
}

/** In a text that has parts of the user's in it. */
function withMadeUpPlaces(text: string, facts: TableFacts): string {
  return facts.key.reduce((shown, { name }) => {
    const column = facts.columns.find((each) => each.name === name);
    if (column === undefined) return shown;
    const value = writtenAs(column, madeUpText(column.type, 0));
    return shown.replaceAll(`${quoted(name)} = ${value}`, () => `${quoted(name)} = <${name}>`);
  }, text);
}

/** As `writtenAs` and conditions by keys have them. */
const compared =
  /(`((?:[^`]|``)+)` = )(?:convert\(x'[0-9A-F]*' using \w+\)(?: collate \w+)?|x'[0-9A-F]*'|_utf8mb4(?: x)?'[^']*'|from_unixtime\([^)]*\)|'[^']*'|-?\d+(?:\.\d+)?)/g;

/** In a text that is ours alone. */
function withPlaces(text: string): string {
  return text.replaceAll(compared, (_, start: string, name: string) => {
    return `${start}<${name.replaceAll('``', '`')}>`;
  });
}
