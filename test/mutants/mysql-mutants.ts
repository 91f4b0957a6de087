/** Bugs of local transactions on MySQL and MariaDB: how they begin, what they see, how they end. */
import { lines, type Mutant } from './mutant.ts';

const session = 'client-sdk/resource/mysql/session.ts';
const endings = 'client-sdk/resource/mysql/endings.ts';

/** Bugs of texts that are sent together, and of settings that are kept. */
export const mysqlMutants: readonly Mutant[] = [
  {
    name: 'committed-though-held-on-mysql',
    idea: 'a compound on MariaDB commits alone whatever its look has found',
    file: endings,
    find: 'if @settle_held then',
    replace: 'if @settle_held is null then',
    killedBy: ['at-once-mysql'],
  },
  {
    name: 'at-once-without-a-barrier-row-on-mysql',
    idea: 'a compound on MariaDB commits a branch without its barrier row',
    file: endings,
    find: "[...inserts, phaseOneRow(branch), 'commit', restoringSettings]",
    replace: "[...inserts, 'commit', restoringSettings]",
    killedBy: ['at-once-mysql'],
  },
  {
    name: 'error-behind-the-commit-believed',
    idea: 'an error of a compound on MariaDB is told as one that came before its commit',
    file: endings,
    find: 'if (isWordOfDatabase(error) && !(await isOpen(session))) {',
    replace: 'if (session === null) {',
    killedBy: ['at-once-mysql'],
  },
  {
    name: 'statements-after-a-begin-that-failed',
    idea: 'what follows a begin that failed runs on the connection, and is committed by itself',
    file: session,
    find: lines('    } catch (error) {', '      this.#failure = { error };'),
    replace: '    } catch (error) {',
    killedBy: ['at-settings-mysql'],
  },
  {
    name: 'rows-behind-a-limit-of-the-session',
    idea: 'our own reads stop at the sql_select_limit of the user',
    file: session,
    find: 'const text = readingAll(own);',
    replace: 'const text = own;',
    killedBy: ['at-settings-mysql'],
  },
  {
    name: 'settings-left-behind-by-a-compound',
    idea: 'a connection counts as put back when nothing has put it back',
    file: session,
    find: 'isPutBack = putsBack(text) && !isForRestore;',
    replace: 'isPutBack = !isForRestore;',
    killedBy: ['at-settings-mysql'],
  },
  {
    name: 'free-though-somebody-holds-it-on-mysql',
    idea: 'rows that were looked at on MySQL count as free, whatever the look has found',
    file: 'client-sdk/resource/mysql/stored-rows.ts',
    find: 'Number(row[lookColumn]) === 0',
    replace: 'Number(row[lookColumn]) >= 0',
    killedBy: ['at-free-rows-mysql'],
  },
];
