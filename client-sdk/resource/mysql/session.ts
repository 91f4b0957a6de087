/**
 * The settings under which a resource uses a connection of MySQL or MariaDB. The connection belongs
 * to the user's pool: what is changed is kept in variables of the session first and put back before
 * the pool gets it again, or the connection is thrown away. One round trip to set, one to put back,
 * and nobody waits for the second.
 */
import type { HeldConnection, ResourceDatabase } from '../database.ts';
import { closeGuards } from './guard.ts';
import { wholeLiteral } from './literals.ts';

/** Before 11.1 MariaDB knows only the old name of the isolation, MySQL 8 only the new one. */
const isolation = '/*!80000 transaction_isolation*//*M! tx_isolation*/';

/** What may be changed, whether at once or for a rollback. */
const settings: readonly string[] = [
  ...['innodb_lock_wait_timeout', 'autocommit', 'sql_select_limit', 'time_zone', 'sql_mode'],
  ...['foreign_key_checks', 'unique_checks', 'sql_safe_updates', 'character_set_results'],
];

/**
 * The database with every connection at READ COMMITTED, with autocommit, without `sql_select_limit`,
 * and with waits for locks that end after such a time, in whole seconds, for MySQL counts no others.
 */
export function withSettings<Native>(
  database: ResourceDatabase<Native>,
  lockWaitMs: () => number,
): ResourceDatabase<Native> {
  const kept = [
    `@settle_isolation = @@session.${isolation}`,
    ...settings.map((name) => `@settle_${name} = @@session.${name}`),
  ];
  const changes = [
    `@@session.${isolation} = 'READ-COMMITTED'`,
    '@@session.autocommit = 1',
    // What we read must come whole, and in letters that the driver knows.
    '@@session.sql_select_limit = 18446744073709551615',
    '@@session.character_set_results = utf8mb4',
  ];
  const setting = `set ${[...kept, ...changes].join(', ')}, @@session.innodb_lock_wait_timeout = `;
  return {
    async acquire() {
      const connection = await database.acquire();
      try {
        const seconds = Math.max(1, Math.ceil(lockWaitMs() / 1_000));
        await connection.query(setting + wholeLiteral(seconds));
      } catch (error) {
        connection.release(asError(error));
        throw error;
      }
      return puttingBack(connection);
    },
  };
}

const reset = `set ${[
  `@@session.${isolation} = @settle_isolation`,
  ...settings.map((name) => `@@session.${name} = @settle_${name}`),
  // Always: who has set it may not have come to tell.
  closeGuards,
].join(', ')}`;

function puttingBack<Native>(connection: HeldConnection<Native>): HeldConnection<Native> {
  let isReleased = false;
  return {
    native: connection.native,
    physical: connection.physical,
    begin: (text) => connection.begin(text),
    query: (text, parameters) => connection.query(text, parameters),
    release(error) {
      if (isReleased) return;
      isReleased = true;
      // Also after an error: not every kind of pool can throw a connection away. One that cannot be
      // put back ends itself, for its next user must not get it as it is.
      connection.query(reset).then(
        () => connection.release(error),
        async (failure: unknown) => {
          await connection.query('kill connection_id()').catch(nothing);
          connection.release(error ?? asError(failure));
        },
      );
    },
  };
}

function nothing(): void {}

function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Error('it could not be set', { cause: failure });
}

/**
 * For a rollback: texts are read under the settings that images are written for (`image-columns.ts`).
 * Without strict mode a value that does not fit is shortened, not refused; all that is written is
 * read again. {@link withSettings} puts back what this changes.
 */
export const restoreSettings = `set @@session.time_zone = '+00:00',
  @@session.sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES',
  @@session.sql_safe_updates = 0, @@session.foreign_key_checks = 1, @@session.unique_checks = 1`;
