/**
 * The filters of `tx list`, which bulk changes take as well: options, and the query that they say
 * together. Guard: what is listed and what is changed are found by the same query.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type EpochMs,
  isGid,
  type Mode,
  type Phase,
  type TransactionQuery,
} from '../../client-sdk/protocol/index.ts';
import { ageOf } from './options.ts';

/** As commander gives them. */
export interface FilterOptions {
  readonly phase?: Phase;
  readonly mode?: Mode;
  readonly name?: string;
  readonly olderThan?: number;
  readonly youngerThan?: number;
  readonly label?: string;
  readonly service?: string;
  readonly method?: string;
  readonly resource?: string;
  readonly error?: string;
  readonly outcome?: 'open' | 'committed' | 'rolledBack';
  readonly attention?: boolean;
  readonly gid?: string;
}

const openPhases = ['active', 'committing', 'rollingBack'];
const phases = [...openPhases, 'committed', 'rolledBack'];

/** Adds them. `isOpenOnly`: of commands for which finished ones are out of the question. */
export function withFilters(command: Command, isOpenOnly = false): Command {
  const known = isOpenOnly ? openPhases : phases;
  command
    .addOption(new Option('--phase <phase>', 'in this phase').choices(known))
    .addOption(new Option('--mode <mode>', 'of this mode').choices(['transaction', 'saga']))
    .option('--name <name>', 'with this whole name')
    .option('--older-than <age>', 'begun longer ago, such as 30s, 5m, 2h, 7d', ageOf)
    .option('--younger-than <age>', 'begun since then', ageOf)
    .option('--label <key=value>', 'with this label', labelOf)
    .option('--service <service>', 'open, with something unfinished there')
    .option('--method <method>', 'open, with something unfinished of this method')
    .addOption(
      new Option('--resource <resource>', 'open, with something unfinished there').conflicts(
        'method',
      ),
    )
    .option('--error <text>', 'open, with this in what went wrong last')
    .option('--attention', 'that need a human')
    .option('--gid <prefix>', 'whose id begins so', prefixOf);
  if (isOpenOnly) return command;
  return command.addOption(
    new Option('--outcome <outcome>', 'that ended so').choices(['open', 'committed', 'rolledBack']),
  );
}

/** What the options say together. What only open ones can be found by says `open`, too. */
export function queryOf(options: FilterOptions, nowMs: EpochMs): TransactionQuery {
  const { phase, mode, name, olderThan, youngerThan, label, service, error, gid } = options;
  const method = options.resource === undefined ? options.method : `at.${options.resource}`;
  const isOfOpen = (service ?? method ?? error) !== undefined || openPhases.includes(phase ?? '');
  const outcome = options.outcome ?? (isOfOpen ? 'open' : undefined);
  return {
    ...(phase === undefined ? {} : { phase }),
    ...(mode === undefined ? {} : { mode }),
    ...(name === undefined ? {} : { name }),
    ...(gid === undefined ? {} : { gid }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(options.attention === true ? { attention: true } : {}),
    ...(label === undefined ? {} : { label }),
    ...(youngerThan === undefined ? {} : { startedAfterMs: nowMs - youngerThan }),
    ...(olderThan === undefined ? {} : { startedBeforeMs: nowMs - olderThan }),
    ...(service === undefined ? {} : { service }),
    ...(method === undefined ? {} : { method }),
    ...(error === undefined ? {} : { error }),
  };
}

function labelOf(text: string): string {
  if (/^[^=]+=/.test(text)) return text;
  throw new InvalidArgumentError('It takes key=value.');
}

function prefixOf(text: string): string {
  if (isGid(text)) return text;
  throw new InvalidArgumentError('It takes the begin of a gid: A-Z a-z 0-9 . _ -');
}
