/** Rows about plain SQL in global transactions, 16 in flight, beside plain local transactions. */
import { findingOf } from './rate.ts';
import { atLeast, atMost, type Row } from './row.ts';

const figures = [
  'txPerSecond',
  'plainTxPerSecond',
  'ratioToPlain',
  'p50RatioToPlain',
  'cpuUsPerTx',
];

/** The flow that the targets are about. */
const atPostgres: Row = {
  name: 'at-postgres',
  title: 'AT, a row in each of 2 databases, PostgreSQL',
  limits: [
    atLeast('ratioToPlain', 0.3),
    atLeast('txPerSecond', 1_400, { figure: 'plainTxPerSecond', least: 4_900 }),
    atMost('p50RatioToPlain', 3),
  ],
  shown: figures,
  run: async (bench) => findingOf(await bench.measure('--mode at')),
};

/** The same, the log included, on the other kind of server. */
const atMysql: Row = {
  name: 'at-mysql',
  title: 'AT, a row in each of 2 databases, MariaDB or MySQL',
  limits: [atLeast('ratioToPlain', 0.25)],
  shown: figures,
  run: async (bench) => findingOf(await bench.measure('--mode at --log mysql')),
};

/** All of them want the same two rows. */
const atHotRow: Row = {
  name: 'at-hot-row',
  title: 'AT, always the same row in each of 2 databases',
  limits: [atLeast('txPerSecond', 250)],
  shown: figures,
  run: async (bench) => findingOf(await bench.measure('--mode at --at-rows one')),
};

/** What never needs the coordinator. */
const atAlone: Row = {
  name: 'at-alone',
  title: 'AT, a row in one database: a local transaction in the end',
  limits: [atMost('p50RatioToPlain', 1.3)],
  shown: figures,
  run: async (bench) => findingOf(await bench.measure('--mode at --branches 1')),
};

/** What never needs the coordinator, on the other kind of server. */
const atMysqlAlone: Row = {
  name: 'at-mysql-alone',
  title: 'AT, a row in one database, MariaDB or MySQL: a local transaction in the end',
  limits: [],
  shown: figures,
  run: async (bench) => findingOf(await bench.measure('--mode at --log mysql --branches 1')),
};

/** In the order in which they are shown. */
export const atRows: readonly Row[] = [atPostgres, atMysql, atHotRow, atAlone, atMysqlAlone];
