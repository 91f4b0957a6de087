/**
 * `settle dev` and `settle server`: a coordinator in this process until a signal ends it. The first
 * SIGTERM or SIGINT stops it gracefully, the second one at once; a fenced coordinator ends by itself.
 */
import { type Command, Option } from 'commander';
import { type Config, type LoadedConfig, loadConfig } from '../config.ts';
import { type Setting, type SettingKey, settings } from '../config-table.ts';
import { type Logger, type RunningServer, startServer } from '../main.ts';
import { createLogger } from '../observe/log.ts';
import { Failure } from '../runtime/failure.ts';
import { exitCodes, failureLine } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** Adds `dev` and `server`; both take every setting as a flag. */
export function registerServe(program: Command, terminal: () => Terminal): void {
  const dev = program
    .command('dev')
    .summary('start a coordinator on this machine, with nothing to set up')
    .description('Start a coordinator with an embedded log in ./.settle, and say what to do next.')
    .action((flags: Readonly<Record<string, unknown>>) => serveDev(flags, terminal()));
  const server = program
    .command('server')
    .summary('start a coordinator')
    .description(
      'Start a coordinator. Flags win over SETTLE_… variables, these over settle.config.json, ' +
        'and that over the defaults. It writes its log as JSON lines to standard output.',
    )
    .action((flags: Readonly<Record<string, unknown>>) => serve(flags, terminal()));
  for (const command of [dev, server]) addSettings(command);
}

function addSettings(command: Command): void {
  command.option('--config <file>', 'settings as JSON (default: settle.config.json, if there)');
  for (const [key, setting] of Object.entries<Setting<unknown>>(settings)) {
    const argument = setting.argument === null ? '' : ` <${setting.argument.toLowerCase()}>`;
    const text = `${setting.summary} (default: ${setting.shownDefault})`;
    const option = new Option(`--${setting.flag}${argument}`, text);
    if (key === 'allowCallbacks') option.argParser(collect);
    command.addOption(option);
  }
}

function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

/** Commander names options by their flags (`--call-timeout` → `callTimeout`); settings by keys. */
function readConfig(flags: Readonly<Record<string, unknown>>): LoadedConfig {
  const byKey: Partial<Record<SettingKey, unknown>> = {};
  for (const [key, setting] of Object.entries<Setting<unknown>>(settings)) {
    const name = setting.flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (flags[name] !== undefined) byKey[key as SettingKey] = flags[name];
  }
  const file = typeof flags['config'] === 'string' ? flags['config'] : undefined;
  return loadConfig({ flags: byKey, env: process.env, folder: process.cwd(), file });
}

async function serve(flags: Readonly<Record<string, unknown>>, terminal: Terminal): Promise<void> {
  const { config, origins } = readConfig(flags);
  await run({ config, origins }, terminal);
}

async function serveDev(
  flags: Readonly<Record<string, unknown>>,
  terminal: Terminal,
): Promise<void> {
  const { config, origins } = readConfig(flags);
  // People read this one: below `warn` the lines would hide what they look for.
  const logLevel = origins.logLevel === 'default' ? 'warn' : config.logLevel;
  await run({ config: { ...config, logLevel }, origins }, terminal, (server) => {
    for (const line of welcomeLines(server.url, config, terminal)) terminal.print(line);
  });
}

/** A mistake of ours must end the process, for nobody knows what state it is in; the log has it all. */
function watchMistakes(logger: Logger): void {
  process.once('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'a rule inside was broken; this process ends');
    process.stderr.write(`${failureLine(error)}\n`);
    process.exit(exitCodes.failure);
  });
}

async function run(
  { config, origins }: LoadedConfig,
  terminal: Terminal,
  started: (server: RunningServer) => void = () => {},
): Promise<void> {
  const signals = watchSignals(terminal);
  const logger = createLogger(config.logLevel);
  watchMistakes(logger);
  const server = await startServer(config, { logger, origins });
  started(server);
  const end = await Promise.race([signals.first, server.fenced]);
  if (end === 'fenced') {
    terminal.say(failureLine(new Failure('FENCED', `${config.log} has a new owner.`)));
    process.exitCode = exitCodes.fenced;
  }
  await server.stop();
  signals.close();
}

interface Signals {
  /** The name of the first signal. */
  readonly first: Promise<'SIGTERM' | 'SIGINT'>;
  close(): void;
}

function watchSignals(terminal: Terminal): Signals {
  const { promise, resolve } = Promise.withResolvers<'SIGTERM' | 'SIGINT'>();
  let count = 0;
  const on = (signal: 'SIGTERM' | 'SIGINT') => {
    count += 1;
    if (count > 1) process.exit(exitCodes.failure);
    terminal.say('settle: stopping; once more to stop at once');
    resolve(signal);
  };
  process.on('SIGTERM', on);
  process.on('SIGINT', on);
  return {
    first: promise,
    close() {
      process.off('SIGTERM', on);
      process.off('SIGINT', on);
    },
  };
}

function welcomeLines(url: string, config: Config, terminal: Terminal): readonly string[] {
  const json = `-H 'content-type: application/json'`;
  const command = (text: string) => `     ${terminal.paint('cyan', text)}`;
  return [
    terminal.paint('bold', `Settle listens on ${url}`) +
      terminal.paint('dim', `, log ${config.log}`),
    '',
    'Next:',
    '  1. Begin a transaction:',
    command(`curl -X POST ${url}/v1/transactions ${json} -d '{"gid":"hello-1","name":"hello"}'`),
    '  2. Commit it:',
    command(`curl -X POST ${url}/v1/transactions/hello-1/commit`),
    '  3. Look at it:',
    command(`curl ${url}/v1/transactions/hello-1`),
    '',
    `Every address and its fields: ${url}/openapi.json. Stop with Ctrl-C.`,
  ];
}
