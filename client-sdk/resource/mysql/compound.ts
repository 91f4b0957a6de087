/**
 * Several statements in one text and one round trip, where the server has compound statements outside
 * of routines: MariaDB. This is no option of the driver: to it the text is one statement. Invariant: the
 * first statement that fails ends the text, so that a commit at its end follows only what went well.
 *
 * A setting of `sql_mode` does not outlive the text in which it is made: the server puts it back.
 */
import { isWordOfDatabase } from '../database-error.ts';
import type { Session, SessionRows } from '../facts.ts';

/** The text of all of them. No one may end in a comment. */
export function compoundOf(texts: readonly string[]): string {
  return `begin not atomic ${texts.map((text) => `${text};`).join(' ')} end`;
}

/** What the one select in a compound has found; its answer is a list of what each statement says. */
export function foundBy({ rows }: SessionRows): SessionRows {
  const [found] = rows;
  if (!isRows(found)) throw new Error('the driver did not answer a compound with a list');
  return { rows: found, count: found.length };
}

// Parse boundary: drivers give a list of objects for each select.
function isRows(found: unknown): found is SessionRows['rows'] {
  return Array.isArray(found);
}

/** Whether one server, behind this driver, takes compounds. One per resource; false until it is known. */
export class Compounds {
  #isThere: boolean | null = null;

  get areThere(): boolean {
    return this.#isThere === true;
  }

  /** Asks unless it is known. Throws what the driver throws when the line fails. */
  async learn(session: Session): Promise<boolean> {
    this.#isThere ??= await takesCompounds(session);
    return this.#isThere;
  }
}

async function takesCompounds(session: Session): Promise<boolean> {
  const { rows } = await session.query('select version() as version');
  // MySQL 8 would refuse the next text, and some operators count errors.
  if (!String(rows[0]?.['version']).includes('MariaDB')) return false;
  const text = compoundOf(['set @settle_probe = 1', 'select @settle_probe as probe']);
  try {
    const [found] = (await session.query(text)).rows;
    return isRows(found) && Number(found[0]?.['probe']) === 1;
  } catch (error) {
    // What stands between may have its own idea of what a statement is. Then each goes by itself.
    if (isWordOfDatabase(error)) return false;
    throw error;
  }
}
