/** What the settings of a MySQL or MariaDB server make of a commit that was answered. Reads only. */
import type { Finding } from '../../client-sdk/protocol/index.ts';
import type { Executor } from '../../migrations/executor.ts';
import { inOrder } from '../runtime/finding.ts';
import type { Setup } from './examine.ts';

/** Names as in the server, upper case as `ON`; a name that this server does not know is not there. */
type Values = ReadonlyMap<string, string>;

const packetBytesMin = 16 * 1024 * 1024;
const lockSecondsMax = 5;

/** Findings of this server. */
export async function examineMysql(executor: Executor): Promise<Setup> {
  await executor.run(`set session innodb_lock_wait_timeout = ${lockSecondsMax}`, []);
  const settings = await valuesOf(executor, 'show global variables', [
    "'innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', 'innodb_doublewrite'",
    "'max_allowed_packet', 'read_only', 'super_read_only'",
    "'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_enabled'",
  ]);
  const states = await valuesOf(executor, 'show global status', [
    "'Rpl_semi_sync_master_status', 'Rpl_semi_sync_source_status'",
    "'Rpl_semi_sync_master_clients', 'Rpl_semi_sync_source_clients'",
  ]);
  const [dumps] = await executor.run(
    `select count(*) as replicas from information_schema.processlist
     where command like 'Binlog Dump%'`,
    [],
  );
  const readOnly = readOnlyFinding(settings);
  const findings = [
    flushFinding(settings),
    binlogFinding(settings),
    doublewriteFinding(settings),
    packetFinding(settings),
    readOnly,
    replicationFinding(settings, states, Number(dumps?.['replicas'])),
  ];
  return { findings, takesWrites: readOnly.level === 'ok' };
}

async function valuesOf(
  executor: Executor,
  show: 'show global variables' | 'show global status',
  names: readonly string[],
): Promise<Values> {
  const rows = await executor.run(`${show} where variable_name in (${names.join(', ')})`, []);
  return new Map(
    rows.map((row) => [String(row['Variable_name']).toLowerCase(), String(row['Value'])]),
  );
}

const isOn = (value: string | undefined): boolean => /^(on|1|true)$/i.test(value ?? '');

function flushFinding(settings: Values): Finding {
  const mode = settings.get('innodb_flush_log_at_trx_commit');
  if (mode === '1') return inOrder('log.fsync', 'innodb_flush_log_at_trx_commit is 1.');
  return {
    check: 'log.fsync',
    level: 'problem',
    seen:
      `innodb_flush_log_at_trx_commit is ${mode}: a crash ` +
      `${mode === '2' ? 'of the machine' : 'of the server'} may lose the last second of decisions.`,
    remedy:
      'Run `set global innodb_flush_log_at_trx_commit = 1`, and keep it in the configuration.',
  };
}

function binlogFinding(settings: Values): Finding {
  const check = 'log.binlog';
  if (!isOn(settings.get('log_bin')))
    return inOrder(check, 'There is no binary log to keep in step.');
  const every = settings.get('sync_binlog');
  if (every === '1') return inOrder(check, 'sync_binlog is 1.');
  return {
    check,
    level: 'problem',
    seen:
      `sync_binlog is ${every}: after a crash of the machine the binary log may lack commits that ` +
      'were answered, and replicas never get them.',
    remedy: 'Run `set global sync_binlog = 1`, and keep it in the configuration.',
  };
}

function doublewriteFinding(settings: Values): Finding {
  const mode = settings.get('innodb_doublewrite') ?? '';
  if (!/^(0|off)$/i.test(mode)) return inOrder('log.pages', `innodb_doublewrite is ${mode}.`);
  return {
    check: 'log.pages',
    level: 'problem',
    seen: 'innodb_doublewrite is off: a crash of the machine may leave torn pages in the log.',
    remedy:
      'Start the server with innodb_doublewrite = 1, unless the file system writes whole pages.',
  };
}

function packetFinding(settings: Values): Finding {
  const bytes = Number(settings.get('max_allowed_packet'));
  if (bytes >= packetBytesMin)
    return inOrder('log.packet', `max_allowed_packet is ${bytes} bytes.`);
  return {
    check: 'log.packet',
    level: 'problem',
    seen: `max_allowed_packet is ${bytes} bytes: large transactions cannot be appended.`,
    remedy: `Run \`set global max_allowed_packet = ${packetBytesMin}\`, and keep it so.`,
  };
}

function readOnlyFinding(settings: Values): Finding {
  const on = ['super_read_only', 'read_only'].find((name) => isOn(settings.get(name)));
  if (on === undefined) return inOrder('log.readonly', 'The server takes writes.');
  return {
    check: 'log.readonly',
    level: 'problem',
    seen: `${on} is on, as on a replica: nothing can be appended to the log.`,
    remedy: 'Let the URL of the log name the primary, or end read_only there after a failover.',
  };
}

function replicationFinding(settings: Values, states: Values, replicas: number): Finding {
  const check = 'log.replication';
  const value = (values: Values, end: string): string | undefined =>
    values.get(`rpl_semi_sync_source_${end}`) ?? values.get(`rpl_semi_sync_master_${end}`);
  const clients = Number(value(states, 'clients') ?? 0);
  if (isOn(value(settings, 'enabled'))) {
    if (isOn(value(states, 'status')) && clients > 0) {
      return inOrder(
        check,
        `Semi-synchronous, ${clients} replicas: an answered decision is on two machines, ` +
          'as long as no wait for a replica runs out.',
      );
    }
    return {
      check,
      level: 'problem',
      seen:
        `Semi-synchronous replication is wanted and not at work (${clients} replicas): commits are ` +
        'answered without a second machine, and a failover may forget them.',
      remedy:
        'Start the replica and its semi-synchronous side; the status goes back to ON by itself.',
    };
  }
  if (replicas > 0) {
    return {
      check,
      level: 'note',
      seen:
        `Replication is asynchronous (${replicas} connected): a decision that was answered ` +
        'survives a crash of the primary, but a failover may forget the last ones.',
      remedy: 'Turn semi-synchronous replication on, or never fail over by itself.',
    };
  }
  return {
    check,
    level: 'note',
    seen:
      'No replica can be seen: a decision that was answered survives a crash of the server and of ' +
      'the machine, not the loss of its disk.',
    remedy:
      'Add a semi-synchronous replica, or back the binary log up, so that it can be had again.',
  };
}
