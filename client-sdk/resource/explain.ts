/**
 * What Settle would do with a statement, as its user is shown it. Types, and their text for people;
 * how they are found out is in `explainer.ts`. Nothing of it has run, and no row was looked at.
 */
import type { KeyColumn } from './facts.ts';
import type { ControlStatement, WriteStatement } from './statement.ts';

/** A statement, explained. */
export type Explanation =
  | RefusedExplanation
  | ReadExplanation
  | SessionExplanation
  | ControlExplanation
  | WriteExplanation;

/** It would be refused before it runs: for its text, its tables or its functions. */
export interface RefusedExplanation {
  readonly kind: 'refused';
  readonly code: 'AT_UNSUPPORTED_SQL';
  /** What it is, and how to write it instead. */
  readonly detail: string;
}

/** It reads, and runs as it is. */
export interface ReadExplanation {
  readonly kind: 'read';
  /** Functions that it calls, none of which may write. */
  readonly functions: readonly string[];
  readonly runs: readonly string[];
}

/** It is about the session alone (`show`, a plan, a harmless setting), and runs as it is. */
export interface SessionExplanation {
  readonly kind: 'session';
  readonly runs: readonly string[];
}

/** It begins, ends or divides a transaction: a savepoint in the local transaction. */
export interface ControlExplanation {
  readonly kind: 'control';
  readonly verb: ControlStatement['verb'];
  /** As for the outermost `begin` of a connection, when nothing has failed. */
  readonly runs: readonly string[];
}

/**
 * It changes or locks rows. In texts of MySQL `<id>` stands for the value of the column `id` as Settle
 * writes it; those of PostgreSQL have parameters.
 */
export interface WriteExplanation {
  readonly kind: 'write';
  /** `upsert`: an insert that may update rows that are there, or replace them. */
  readonly change: WriteStatement['change'];
  /** `select … for update` and its kin: nothing is changed, the rows are locked globally. */
  readonly isOwnLockOnly: boolean;
  /** One for every change; a lock may have several. */
  readonly tables: readonly ExplainedTable[];
  /** Columns that an update, or the update of an upsert, sets. */
  readonly sets: readonly string[];
  /**
   * The texts that run instead, in their order. Of a statement that finds rows it is what runs for one
   * row; on MySQL, of an insert that may meet rows, what runs when it meets none.
   */
  readonly runs: readonly string[];
  /** On MySQL: what runs when an insert meets rows that are there. Null: the same, or it meets none. */
  readonly runsIfThere: readonly string[] | null;
  /** Which images of a row the undo row gets. Of an upsert the first only where a row was there. */
  readonly images: { readonly before: boolean; readonly after: boolean };
  /**
   * What a rollback writes for a row, besides what it reads and locks. An update sets only those
   * columns that changed. Of an upsert one of them is meant, by what became of the row: deleted when it
   * was new, updated when it was there, inserted when it was replaced by another one. None for a lock.
   */
  readonly undo: readonly string[];
  /** What only the rows tell: it is refused, after it has run, when this turns out to be so. */
  readonly refusedIf: readonly string[];
}

/** A table whose rows a statement changes or locks. */
export interface ExplainedTable {
  /** Schema and name, quoted where SQL needs it. */
  readonly name: string;
  /** In the order of the primary key; see `form` for how its values become one text. */
  readonly key: readonly { readonly column: string; readonly form: KeyColumn['form'] }[];
  /** Columns of the images. The database computes those that are generated; they are compared only. */
  readonly columns: readonly ExplainedColumn[];
  /** How a row is locked: `settle_undo (public.account, ["<id>"])`. */
  readonly lock: string;
}

/** A column of an image. */
export interface ExplainedColumn {
  readonly name: string;
  readonly type: string;
  readonly isGenerated: boolean;
}

/** A statement with its values, as the query builder of Kysely compiles it. */
export interface CompiledStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** What `settle.at` gives back besides the database. */
export interface Explainable {
  /**
   * Says what a global transaction would do with the statement, without running it: no row is read,
   * changed or locked. It reads the catalogue on a connection of its own, in a read-only transaction
   * that is rolled back; inside of a global transaction, too. Values may be left out; on MySQL it may
   * depend on them whether an insert is refused. Rejects with LOCK_CONFLICT when the pool has no
   * connection free in `lockTimeoutMs`, INVALID_CONFIG without the parser, and with what the driver
   * throws; what is refused is an answer.
   */
  explain(
    statement: string | CompiledStatement,
    parameters?: readonly unknown[],
  ): Promise<Explanation>;
}

/** The explanation for people: some lines, each text of SQL on one. */
export function explanationText(explanation: Explanation): string {
  switch (explanation.kind) {
    case 'refused':
      return `refused: ${explanation.code}\n${explanation.detail}`;
    case 'read':
    case 'session':
      return `${explanation.kind}: runs as it is`;
    case 'control':
      return lines(`control: ${wordsOf[explanation.verb]}`, listed('runs', explanation.runs));
    case 'write':
      return writeText(explanation);
    default:
      return explanation satisfies never;
  }
}

const wordsOf: Readonly<Record<ControlStatement['verb'], string>> = {
  begin: 'begin',
  commit: 'commit',
  rollback: 'rollback',
  savepoint: 'savepoint',
  release: 'release savepoint',
  rollbackTo: 'rollback to savepoint',
};

function writeText(explanation: WriteExplanation): string {
  const { change, tables, sets, runs, runsIfThere, images, undo, refusedIf } = explanation;
  const names = tables.map(({ name }) => name).join(', ');
  const taken = [...(images.before ? ['before'] : []), ...(images.after ? ['after'] : [])];
  return lines(`write: ${change} of ${names}`, [
    ...listed(
      'key',
      tables.map(({ key }) => key.map(keyText).join(', ')),
    ),
    ...listed('sets', sets.length === 0 ? [] : [sets.join(', ')]),
    ...listed('images', [taken.join(' and ')]),
    ...listed(
      'lock',
      tables.map(({ lock }) => lock),
    ),
    ...listed('runs', runs),
    ...listed('or', runsIfThere ?? []),
    ...listed('undo', undo),
    ...listed('refused', refusedIf.length === 0 ? [] : [`if it is ${refusedIf.join('; or ')}`]),
  ]);
}

function keyText({ column, form }: ExplainedTable['key'][number]): string {
  return form === 'text' ? column : `${column} (as ${form})`;
}

function lines(first: string, more: readonly string[]): string {
  return [first, ...more].join('\n');
}

const width = 9;

/** The name in front of the first line only. */
function listed(name: string, texts: readonly string[]): readonly string[] {
  return texts.map((text, index) => {
    const label = index === 0 ? name : '';
    return `  ${label.padEnd(width)}${text.replaceAll(/\s*\n\s*/g, ' ')}`;
  });
}
