/**
 * The settings under which a resource uses a connection of MySQL or MariaDB. The connection belongs
 * to the user's pool: what is changed is kept in variables of the session first and put back before
 * the pool gets it again, or the connection is thrown away. That is one round trip to set and one to put
 * back, for which nobody waits; with compounds both go with other texts.
 */
import type { HeldConnection, ResourceDatabase } from '../database.ts';
import type { Session, SessionRows } from '../facts.ts';
import { readingAll } from './compose.ts';
import { Compounds, compoundOf, foundBy } from './compound.ts';
import { closeGuards } from './guard.ts';
import { wholeLiteral } from './literals.ts';

/** Before 11.1 MariaDB knows only the old name of the isolation, MySQL 8 only the new one. */
const isolation = '/*!80000 transaction_isolation*//*M! tx_isolation*/';

/** What is changed on every connection, besides the isolation. */
const settings = ['innodb_lock_wait_timeout', 'autocommit', 'character_set_results'];

/** What is changed for a rollback besides. */
const settingsOfRestore: readonly string[] = [
  ...['time_zone', 'sql_mode', 'sql_safe_updates', 'foreign_key_checks', 'unique_checks'],
];

const keeping = (names: readonly string[]): readonly string[] =>
  names.map((name) => `@settle_${name} = @@session.${name}`);

const puttingBackOf = (names: readonly string[]): readonly string[] =>
  names.map((name) => `@@session.${name} = @settle_${name}`);

/**
 * The database with every connection at READ COMMITTED, with autocommit, and with waits for locks that
 * end after such a time, in whole seconds, for MySQL counts no others. Where the server takes compounds,
 * the settings are sent with what comes first on the connection, and that throws what is wrong with them.
 */
export function withSettings<Native>(
  database: ResourceDatabase<Native>,
  lockWaitMs: () => number,
  compounds = new Compounds(),
): ResourceDatabase<Native> {
  const kept = [`@settle_isolation = @@session.${isolation}`, ...keeping(settings)];
  const changes = [
    `@@session.${isolation} = 'READ-COMMITTED'`,
    '@@session.autocommit = 1',
    // What we read must come in letters that the driver knows.
    '@@session.character_set_results = utf8mb4',
  ];
  const setting = `set ${[...kept, ...changes].join(', ')}, @@session.innodb_lock_wait_timeout = `;
  return {
    async acquire() {
      const connection = await database.acquire();
      const seconds = Math.max(1, Math.ceil(lockWaitMs() / 1_000));
      const text = setting + wholeLiteral(seconds);
      try {
        if (await compounds.learn(connection)) return puttingBack(connection, new Start(text));
        await connection.query(text);
      } catch (error) {
        connection.release(asError(error));
        throw error;
      }
      return puttingBack(connection, null);
    },
  };
}

/** Puts back what {@link withSettings} has set: the end of a text that commits, or a text of its own. */
export const restoringSettings = `set ${[
  `@@session.${isolation} = @settle_isolation`,
  ...puttingBackOf(settings),
  // Always: who has set it may not have come to tell.
  closeGuards,
].join(', ')}`;

const puttingBackAll = puttingBackOf(settingsOfRestore).join(', ');

/** `start`: what is sent with the first statement; null: all is set, and each text goes by itself. */
function puttingBack<Native>(
  connection: HeldConnection<Native>,
  start: Start | null,
): HeldConnection<Native> {
  let isReleased = false;
  let isPutBack = false;
  let isForRestore = false;
  const ready = async (): Promise<void> => start?.send(connection);
  return {
    native: connection.native,
    physical: connection.physical,
    ready,
    begin: async (text) => (start === null ? connection.begin(text) : start.add(text)),
    async query(own, parameters) {
      isPutBack = false;
      if (own === restoreSettings) {
        // A second time it would keep what the first has set.
        if (isForRestore) return { rows: [], count: 0 };
        isForRestore = true;
      }
      const text = readingAll(own);
      if (parameters === undefined && start?.takes(text) === true) {
        return await start.sendWith(connection, text);
      }
      await ready();
      const answer = await connection.query(text, parameters);
      isPutBack = putsBack(text) && !isForRestore;
      return answer;
    },
    release(error) {
      if (isReleased) return;
      isReleased = true;
      if (start?.isUnsent === true) return connection.release(error);
      if (isPutBack && error === undefined) return connection.release();
      if (start?.hasFailed === true) return end(connection, error ?? notSet());
      // Also after an error: not every kind of pool can throw a connection away.
      const all = isForRestore ? `${restoringSettings}, ${puttingBackAll}` : restoringSettings;
      connection.query(all).then(
        () => connection.release(error),
        (failure: unknown) => end(connection, error ?? asError(failure)),
      );
    },
  };
}

/** One that cannot be put back ends itself, for its next user must not get it as it is. */
function end(connection: HeldConnection<unknown>, error: Error): void {
  const release = (): void => connection.release(error);
  connection.query('kill connection_id()').then(release, release);
}

/**
 * What is to be sent to a connection before anything else, in one text with what comes first where that
 * reads. Invariant: it is sent once, and after a failure nothing is: without a `begin` each statement
 * would be committed by itself.
 */
class Start {
  /** Not sent yet, in their order; the settings are the first. */
  #texts: readonly string[];
  #isUnsent = true;
  #failure: { readonly error: unknown } | null = null;

  constructor(settings: string) {
    this.#texts = [settings];
  }

  /** Whether the connection is as the pool has given it. */
  get isUnsent(): boolean {
    return this.#isUnsent;
  }

  /** Whether nobody knows what is set. */
  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  add(text: string): void {
    this.#texts = [...this.#texts, text];
  }

  /** Whether this text can go with it: of what changes rows the count would be that of all. */
  takes(text: string): boolean {
    return this.#texts.length > 0 && text.startsWith('select ');
  }

  /** Throws what is wrong with it, every time. */
  async send(connection: Session): Promise<void> {
    const texts = this.#texts;
    if (texts.length === 1) await this.#sent(connection, texts.join());
    else if (texts.length > 1 || this.hasFailed) await this.#sent(connection, compoundOf(texts));
  }

  /** As {@link send}; answers what the text has found. */
  async sendWith(connection: Session, text: string): Promise<SessionRows> {
    return foundBy(await this.#sent(connection, compoundOf([...this.#texts, text])));
  }

  async #sent(connection: Session, text: string): Promise<SessionRows> {
    if (this.#failure !== null) throw this.#failure.error;
    this.#texts = [];
    this.#isUnsent = false;
    try {
      return await connection.query(text);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}

/** Whether a text that went well has left the settings as they were before. */
function putsBack(text: string): boolean {
  return text.endsWith(`${restoringSettings}; end`);
}

function notSet(): Error {
  return new Error('the settings of the connection are not known');
}

function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error('it could not be set', { cause: failure });
}

/**
 * For a rollback: texts are read under the settings that images are written for (`image-columns.ts`).
 * Without strict mode a value that does not fit is shortened, not refused; all that is written is
 * read again. {@link withSettings} puts back what this changes.
 */
export const restoreSettings = `set ${keeping(settingsOfRestore).join(', ')},
  @@session.time_zone = '+00:00',
  @@session.sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES',
  @@session.sql_safe_updates = 0, @@session.foreign_key_checks = 1, @@session.unique_checks = 1`;
