/**
 * The operator's log: JSON lines by pino on stdout or a given stream. Guards the invariant that
 * payloads, results and secrets are never written: nobody passes them in, and should somebody,
 * they are removed by name.
 */
import { type DestinationStream, type Logger, pino } from 'pino';

/** Levels of the operator's log, least first; `silent` writes nothing. */
export const logLevels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

const secretFields = [
  'payload',
  'input',
  'result',
  'results',
  'password',
  'token',
  'authorization',
  'cookie',
  'body',
];

/** A logger for one process; `stream` default: stdout. */
export function createLogger(level: LogLevel, stream?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: [
        ...secretFields,
        ...secretFields.map((field) => `*.${field}`),
        // Headers of a request, should one be logged as it is.
        '*.*.authorization',
        '*.*.cookie',
      ],
      censor: '[removed]',
    },
  };
  return stream === undefined ? pino(options) : pino(options, stream);
}
