/** What the settings of a PostgreSQL server make of a commit that was answered. Reads only. */
import type { Finding } from '../../client-sdk/protocol/index.ts';
import type { Executor, SqlRow } from '../../migrations/executor.ts';
import { inOrder } from '../runtime/finding.ts';
import type { Setup } from './examine.ts';

/** A wait for a standby that is not there ends by it, and so does one for a lock. */
const statementMsMax = 5_000;

/** Findings of this server. Sets the connection to commit as the log does, for what comes after. */
export async function examinePostgres(executor: Executor): Promise<Setup> {
  await executor.run(`set statement_timeout = ${statementMsMax}`, []);
  const [found = {}] = await executor.run(settingsSql, []);
  const standbys = await executor.run(standbysSql, []);
  // As each connection of the log does it: somebody who asked for more gets it, nobody gets less.
  await executor.run(
    `select set_config('synchronous_commit', 'on', false)
     where current_setting('synchronous_commit') <> 'remote_apply'`,
    [],
  );
  const readOnly = readOnlyFinding(found);
  const replication = replicationFinding(found, standbys);
  const findings = [
    syncFinding(found),
    pagesFinding(found),
    commitFinding(found),
    readOnly,
    replication,
    preparedFinding(found),
  ];
  const takesWrites = readOnly.level === 'ok' && replication.level !== 'problem';
  return { findings, takesWrites };
}

const settingsSql = `select current_setting('fsync', true) as fsync,
  current_setting('full_page_writes', true) as pages,
  current_setting('synchronous_commit', true) as commit_mode,
  current_setting('synchronous_standby_names', true) as wanted,
  current_setting('max_prepared_transactions', true) as prepared,
  current_setting('default_transaction_read_only', true) as read_only,
  pg_is_in_recovery()::text as standby`;

/** Without the role pg_monitor the states of others are null. */
const standbysSql = `select application_name as name, state, sync_state,
  pg_wal_lsn_diff(sent_lsn, replay_lsn)::text as behind from pg_stat_replication`;

function syncFinding({ fsync }: SqlRow): Finding {
  if (fsync !== 'off') return inOrder('log.fsync', `fsync is ${text(fsync)}.`);
  return {
    check: 'log.fsync',
    level: 'problem',
    seen: 'fsync is off: a crash of the machine loses decisions that were answered, or the log.',
    remedy:
      'Set fsync = on in postgresql.conf and reload; check the database after any crash so far.',
  };
}

function pagesFinding({ pages }: SqlRow): Finding {
  if (pages !== 'off') return inOrder('log.pages', `full_page_writes is ${text(pages)}.`);
  return {
    check: 'log.pages',
    level: 'problem',
    seen: 'full_page_writes is off: a crash of the machine may leave torn pages in the log.',
    remedy: 'Set full_page_writes = on in postgresql.conf and reload.',
  };
}

function commitFinding({ commit_mode: mode }: SqlRow): Finding {
  const check = 'log.commit';
  if (mode !== 'off') return inOrder(check, `synchronous_commit is ${text(mode)}.`);
  return {
    check,
    level: 'note',
    seen:
      'synchronous_commit is off for this database or role. The log sets it on for its own ' +
      'connections, so that its commits are durable; those of others here, such as participants, ' +
      'are not.',
    remedy:
      'Set synchronous_commit = on for the database and the role, and see that no pooler in ' +
      'transaction mode stands between coordinator and log, for it would lose the setting.',
  };
}

function readOnlyFinding({ standby, read_only: readOnly }: SqlRow): Finding {
  const check = 'log.readonly';
  if (standby !== 'true' && readOnly !== 'on') return inOrder(check, 'The server takes writes.');
  const seen =
    standby === 'true'
      ? 'The server is a standby: nothing can be appended to the log.'
      : 'default_transaction_read_only is on: nothing can be appended to the log.';
  const remedy =
    standby === 'true'
      ? 'Let the URL of the log name the primary; target_session_attrs=read-write finds it.'
      : 'Set default_transaction_read_only = off for the role or the database of the log.';
  return { check, level: 'problem', seen, remedy };
}

function replicationFinding({ wanted }: SqlRow, standbys: readonly SqlRow[]): Finding {
  const check = 'log.replication';
  const isSynchronous = (row: SqlRow): boolean =>
    row['sync_state'] === 'sync' || row['sync_state'] === 'quorum';
  const isHidden = standbys.some((row) => row['state'] === null);
  const named = standbys.map((row) => `${text(row['name'])} ${lag(row)}`).join(', ');
  if (text(wanted) !== '' && wanted !== null && !isHidden && !standbys.some(isSynchronous)) {
    return {
      check,
      level: 'problem',
      seen:
        `synchronous_standby_names is ${text(wanted)}, and none of them is connected: ` +
        'each commit of the log waits for ever.',
      remedy: 'Start the standby, or take it out of synchronous_standby_names and reload.',
    };
  }
  if (text(wanted) !== '' && wanted !== null) {
    const shown = isHidden ? 'their states are hidden from this role (grant pg_monitor)' : named;
    return inOrder(
      check,
      `Synchronous standbys ${text(wanted)}: an answered decision is on two machines (${shown}).`,
    );
  }
  if (standbys.length > 0) {
    return {
      check,
      level: 'note',
      seen:
        `Standbys are asynchronous (${named}): a decision that was answered survives a crash of the ` +
        'primary, but a failover may forget the last ones.',
      remedy: 'Name a standby in synchronous_standby_names, or never fail over by itself.',
    };
  }
  return {
    check,
    level: 'note',
    seen:
      'No standby is connected: a decision that was answered survives a crash of the process and ' +
      'of the machine, not the loss of its disk.',
    remedy: 'Add a synchronous standby, or archive the WAL, so that the log can be had again.',
  };
}

function lag(row: SqlRow): string {
  const { sync_state: state, behind } = row;
  if (state === null || behind === null) return '(state hidden or not streaming)';
  return `(${text(state)}, ${text(behind)} bytes behind)`;
}

function preparedFinding({ prepared }: SqlRow): Finding {
  const check = 'log.prepared';
  if (Number(prepared) > 0)
    return inOrder(check, `max_prepared_transactions is ${text(prepared)}.`);
  return {
    check,
    level: 'note',
    seen:
      'max_prepared_transactions is 0. The log needs none; a participant of kind xa will, ' +
      'when that kind comes.',
    remedy: 'Nothing now. A change takes a restart of the server, so plan it before xa is used.',
  };
}

const text = (value: unknown): string => String(value ?? '');
