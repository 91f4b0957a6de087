/**
 * What a resource has to know of a table before it lets a statement change it. Types only; where
 * the facts come from belongs to the databases.
 */

/** A table as a statement names it; `schema` null: as the search path (the current database) says. */
export interface TableName {
  readonly schema: string | null;
  readonly name: string;
}

/** A column, in the spelling of the catalogue. */
export interface Column {
  readonly name: string;
  /** Complete, so that a text can be cast to it: `numeric(10,2)`, `text[]`, `shop.color`. */
  readonly type: string;
  /** The database computes it; it is compared, never written. */
  readonly isGenerated: boolean;
  /** `generated always as identity`: written only when the statement says so. */
  readonly isAlwaysIdentity: boolean;
}

/** A column of the primary key. */
export interface KeyColumn {
  readonly name: string;
  /**
   * How two spellings of one value become one text. `text`: the image's text is canonical.
   * `number`: without trailing zeros. `lower`: compared without case (citext). `weight`: compared by
   * a collation of MySQL; the image has the weight besides, under `weightOf` of the name.
   */
  readonly form: 'text' | 'number' | 'lower' | 'weight';
}

/** Something in the database that changes rows which the statement does not name. */
export interface Hazard {
  /** As shown to the user: `trigger audit_orders`, `foreign key items_order_id_fkey (on delete cascade)`. */
  readonly what: string;
  readonly on: readonly ('insert' | 'update' | 'delete')[];
  /** Null: any update; otherwise only one that sets one of these columns. */
  readonly columns: readonly string[] | null;
}

/** A table as the catalogue describes it. */
export interface TableFacts {
  /** Schema and name as the catalogue spells them, quoted where SQL needs it: one text per table. */
  readonly id: string;
  readonly columns: readonly Column[];
  /** In the order of the primary key; empty when there is none. */
  readonly key: readonly KeyColumn[];
  readonly hazards: readonly Hazard[];
  /** Triggers of ours refuse writers that don't come through Settle: say first that this one does. */
  readonly isGuarded: boolean;
  /** Why no statement may change it at all (`it is a view`, `its key has type jsonb`); null: nothing. */
  readonly refusal: string | null;
}

/** Facts of one database, cached; a change of the schema is seen within a minute. */
export interface Catalog {
  /** Throws AT_UNSUPPORTED_SQL when there is no such table. */
  factsOf(session: Session, table: TableName): Promise<TableFacts>;
  /** Those of the functions that may write: not built in, and declared volatile. */
  writers(session: Session, functions: readonly FunctionName[]): Promise<readonly FunctionName[]>;
}

/** A function as a statement names it, lower case unless quoted: `now`, `shop.settle_order`. */
export type FunctionName = string;

/** One connection of the database, for statements of our own. Never used by two at a time. */
export interface Session {
  /**
   * Throws what the driver throws. Rows by column name; `count`: rows changed or found. `name`: of a
   * text that never changes and whose plan is good for tables of any size; it may be kept prepared.
   */
  query(text: string, parameters?: readonly unknown[], name?: string): Promise<SessionRows>;
  /** All of them in one round trip; not there where the driver has no way to do that. */
  readonly fly?: Fly;
}

/**
 * Sends statements together and answers how many rows each has changed or found. The first that fails
 * stops those after it and is what it throws; those before it have run.
 */
export type Fly = (statements: readonly FlightStatement[]) => Promise<readonly number[]>;

/** One of them. */
export interface FlightStatement {
  readonly text: string;
  /** As the database reads them; null is NULL. */
  readonly values?: readonly (string | null)[];
  /** As in {@link Session.query}. */
  readonly name?: string;
  /** It may wait for others; at most one of a flight. */
  readonly mayWait?: true;
}

/** What a statement of our own answers. */
export interface SessionRows {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly count: number;
}
