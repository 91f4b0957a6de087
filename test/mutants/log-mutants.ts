/** Bugs in the stores: `server/log`. */
import { lines, type Mutant } from './mutant.ts';

const memory = 'server/log/memory-log.ts';
const sqlite = 'server/log/sqlite-store.ts';
const postgres = 'server/log/postgres-append.ts';
const mysql = 'server/log/mysql-append.ts';

const ofMemory: readonly Mutant[] = [
  {
    name: 'no-cas',
    idea: 'the memory log overwrites a slot that is taken',
    file: memory,
    find: "if (standing !== undefined) return isSameRow(standing, row) ? 'appended' : 'conflict';",
    replace: "if (standing !== undefined && isSameRow(standing, row)) return 'appended';",
    killedBy: ['memory-log', 'engine', 'sim'],
  },
  {
    name: 'own-row-conflicts',
    idea: 'our own row, sent again, is called a conflict',
    file: memory,
    find: "return isSameRow(standing, row) ? 'appended' : 'conflict';",
    replace: "return standing === row ? 'conflict' : 'conflict';",
    killedBy: ['memory-log', 'engine'],
  },
  {
    name: 'row-of-another-term-is-ours',
    idea: 'the same records of another term count as our own row',
    file: memory,
    find: 'return a.epoch === b.epoch && a.atMs === b.atMs',
    replace: 'return a.atMs === b.atMs',
    killedBy: ['memory-log'],
  },
  {
    name: 'fence-not-checked',
    idea: 'a term that is over may append still',
    file: memory,
    find: "return batch.map(() => 'fenced');",
    replace: 'return batch.map((append) => appendOne(store, append));',
    killedBy: ['memory-log', 'engine', 'sim'],
  },
  {
    name: 'released-term-appends',
    idea: 'a term that was released may append still',
    file: memory,
    find: 'if (!store.term.isRunning || store.term.epoch !== term.epoch)',
    replace: 'if (store.term.epoch !== term.epoch)',
    killedBy: ['memory-log'],
  },
  {
    name: 'ended-gids-stay-open',
    idea: 'what has ended is listed among the open gids',
    file: memory,
    find: '    else store.open.delete(row.gid);',
    replace: '',
    killedBy: ['memory-log', 'sim'],
  },
  {
    name: 'unsorted-open-gids',
    idea: 'open gids are paged in any order, so pages overlap and leave gaps',
    file: memory,
    find: lines('    .filter((gid) => gid > afterGid)', '    .sort()'),
    replace: '    .filter((gid) => gid > afterGid)',
    killedBy: ['memory-log'],
  },
];

const ofSqlite: readonly Mutant[] = [
  {
    name: 'sqlite-no-cas',
    idea: 'the SQLite log overwrites a slot that is taken',
    file: sqlite,
    find: 'values (?, ?, ?, ?, ?, ?) on conflict (gid, seq) do nothing`,',
    replace:
      'values (?, ?, ?, ?, ?, ?) on conflict (gid, seq) do update set records = excluded.records`,',
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-fence-not-checked',
    idea: 'the SQLite log takes rows of a term that is over',
    file: sqlite,
    find: 'const isRunning = runningTerm.get(epoch) !== undefined;',
    replace: 'const isRunning = runningTerm.get(epoch) !== null;',
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-term-not-ended',
    idea: 'who takes the file over leaves the term before it running',
    file: sqlite,
    find: '        endTerms.run(atMs);',
    replace: '',
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-own-row-not-compared',
    idea: 'another row in our slot counts as ours when only the time and the term are the same',
    file: sqlite,
    find: 'where gid = ? and seq = ? and epoch = ? and at_ms = ? and records = ?`,',
    replace: 'where gid = ? and seq = ? and epoch = ? and at_ms = ? and records <> ?`,',
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-old-index-comes-back',
    idea: 'a row that is sent again brings back its old index row',
    file: sqlite,
    find: "return equalRow.get(gid, seq, ...compared) === undefined ? 'c' : 'a';",
    replace: lines(
      "if (equalRow.get(gid, seq, ...compared) === undefined) return 'c';",
      '      if (index.length > 0) upsertIndex.run(...index);',
      "      return 'a';",
    ),
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-open-gids-unsorted',
    idea: 'open gids are paged from the end',
    file: sqlite,
    find: 'where outcome is null and gid > ? order by gid limit ?`,',
    replace: 'where outcome is null and gid > ? order by gid desc limit ?`,',
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-search-oldest-first',
    idea: 'a search among equal times goes the wrong way',
    file: sqlite,
    find: 'order by started_at_ms desc, gid desc limit ?`,',
    replace: 'order by started_at_ms desc, gid limit ?`,',
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-answered-before-commit',
    idea: 'an append is answered while its transaction is open',
    file: sqlite,
    find: lines('    const result = work();', "    database.exec('commit');", '    return result;'),
    replace: lines(
      '    const result = work();',
      "    setTimeout(() => database.exec('commit'), 2_000);",
      '    return result;',
    ),
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-trouble-taken-for-conflict',
    idea: 'an append that failed is called a lost slot',
    file: 'server/log/sqlite-log.ts',
    find: "return batch.map(() => 'unknown');",
    replace: "return batch.map(() => 'conflict');",
    killedBy: ['sqlite-log'],
  },
  {
    name: 'sqlite-synchronous-off',
    idea: 'a commit of the SQLite log is answered before it is on disk',
    file: 'server/log/sqlite-file.ts',
    find: 'pragma synchronous = full;',
    replace: 'pragma synchronous = off;',
    killedBy: ['sqlite-faults'],
  },
];

const ofServers: readonly Mutant[] = [
  {
    name: 'postgres-no-cas',
    idea: 'the PostgreSQL log overwrites a slot that is taken',
    file: postgres,
    find: lines(
      '  select gid, seq, shard, epoch, at_ms, records from term, given',
      '  on conflict do nothing',
    ),
    replace: lines(
      '  select gid, seq, shard, epoch, at_ms, records from term, given',
      '  on conflict (gid, seq) do update set records = excluded.records',
    ),
    killedBy: ['postgres-log'],
  },
  {
    name: 'postgres-fence-not-checked',
    idea: 'the PostgreSQL log takes rows of a term that is over',
    file: postgres,
    find: 'where epoch = $2 and ended_at_ms is null for share',
    replace: 'where epoch = $2 for share',
    killedBy: ['postgres-log'],
  },
  {
    name: 'postgres-fence-not-held',
    idea: 'who ends a term does not wait for its appends in flight',
    file: postgres,
    find: 'where epoch = $2 and ended_at_ms is null for share',
    replace: 'where epoch = $2 and ended_at_ms is null',
    killedBy: ['postgres-faults'],
  },
  {
    name: 'postgres-index-of-a-lost-slot',
    idea: 'a row that lost its slot changes the index all the same',
    file: postgres,
    find: 'from given where mode is not null and (gid in (select gid from appended)) is true',
    replace: 'from given where mode is not null',
    killedBy: ['postgres-log'],
  },
  {
    name: 'taken-slot-always-ours',
    idea: 'any row in our slot counts as our own',
    file: 'server/log/server-log.ts',
    find: "return isOurs ? 'appended' : 'conflict';",
    replace: "return isOurs ? 'appended' : 'appended';",
    killedBy: ['mysql-log', 'postgres-log'],
  },
  {
    name: 'late-append-taken-for-conflict',
    idea: 'an append that has no answer in time is called a lost slot',
    file: 'server/log/server-log.ts',
    find: "let answerOfRest: AppendAnswer = 'unknown';",
    replace: "let answerOfRest: AppendAnswer = 'conflict';",
    killedBy: ['mysql-faults', 'postgres-faults'],
  },
  {
    name: 'server-open-gids-from-the-page-before',
    idea: 'the last gid of a page opens the next',
    file: 'server/log/log-queries.ts',
    find: ".where('gid', '>', afterGid)",
    replace: ".where('gid', '>=', afterGid)",
    killedBy: ['mysql-log', 'postgres-log'],
  },
  {
    name: 'server-search-leaves-out-equal-times',
    idea: 'the next page of a search leaves out what started at the same time',
    file: 'server/log/log-queries.ts',
    find: ".where('started_at_ms', '<=', before.startedAtMs)",
    replace: ".where('started_at_ms', '<', before.startedAtMs)",
    killedBy: ['mysql-log', 'postgres-log'],
  },
  {
    name: 'mysql-no-cas',
    idea: 'the MySQL log overwrites a slot that is taken',
    file: mysql,
    find: "insert: 'insert into transaction_log",
    replace: "insert: 'replace into transaction_log",
    killedBy: ['mysql-log'],
  },
  {
    name: 'mysql-fence-not-checked',
    idea: 'the MySQL log takes rows of a term that is over',
    file: mysql,
    find: 'where epoch = ? and ended_at_ms is null lock in share mode',
    replace: 'where epoch = ? lock in share mode',
    killedBy: ['mysql-log'],
  },
  {
    name: 'mysql-fence-not-held',
    idea: 'who ends a term does not wait for its transactions in flight',
    file: mysql,
    find: 'where epoch = ? and ended_at_ms is null lock in share mode',
    replace: 'where epoch = ? and ended_at_ms is null',
    killedBy: ['mysql-faults'],
  },
  {
    name: 'mysql-found-row-not-flushed',
    idea: 'our own row, found in its slot, is answered before it is known to be on disk',
    file: mysql,
    find: '    await flush(writing);',
    replace: '',
    killedBy: ['mysql-faults'],
  },
];

/** Bugs of the stores. */
export const logMutants: readonly Mutant[] = [...ofMemory, ...ofSqlite, ...ofServers];
