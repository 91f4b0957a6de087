/** Random SQL as it is put together, for every kind of database. Nothing here runs. */

/** What a statement takes as a parameter. */
export type Parameter = string | Buffer | null;

/** One statement, ready to run. */
export interface RandomStatement {
  readonly text: string;
  readonly parameters: readonly Parameter[];
  /** Bound by the server, where the driver leaves the choice. */
  readonly isPrepared?: boolean;
  /** It draws a number from the database if it runs, and keeps it when it fails. */
  readonly mayDraw?: boolean;
}

/** A piece of SQL with `?` where a parameter goes. No constant of ours has a question mark. */
export interface Piece {
  readonly sql: string;
  readonly parameters: readonly Parameter[];
}

/** One behind the other, with commas. */
export function listed(pieces: readonly Piece[]): Piece {
  return {
    sql: pieces.map(({ sql }) => sql).join(', '),
    parameters: pieces.flatMap(({ parameters }) => parameters),
  };
}

/** A template of SQL; texts and numbers stand in it as they are. */
export function joined(
  texts: TemplateStringsArray,
  ...given: readonly (Piece | string | number)[]
): Piece {
  let sql = texts[0] ?? '';
  const parameters: Parameter[] = [];
  given.forEach((one, index) => {
    const piece = typeof one === 'object' ? one : { sql: String(one), parameters: [] };
    sql += piece.sql + (texts[index + 1] ?? '');
    parameters.push(...piece.parameters);
  });
  return { sql, parameters };
}
