/**
 * `settle doctor`: asks a running coordinator to look everything over, or looks at a log itself when
 * none runs. Ends with its own exit code when it has found a problem. What is looked at is not decided
 * here, but for what only this end can see: whether its clock and the coordinator's agree.
 */
import type { Command } from 'commander';
import type { DoctorAnswer, Finding } from '../../client-sdk/protocol/index.ts';
import { createAudit } from '../desk/audit.ts';
import { auditFindings } from '../desk/doctor.ts';
import { examineLog } from '../log/examine.ts';
import { openLog } from '../log/index.ts';
import { systemClock } from '../runtime/clock.ts';
import { coordinatorClock } from './doctor-clock.ts';
import { exitCodes } from './exit.ts';
import { type AskOptions, clientOf, withAsking } from './options.ts';
import { oneLine } from './table.ts';
import type { Paint, Terminal } from './terminal.ts';

interface DoctorOptions extends AskOptions {
  readonly log?: string;
}

/** Adds `doctor`. */
export function registerDoctor(program: Command, terminal: () => Terminal): void {
  const command = program
    .command('doctor')
    .summary('find what is wrong, and what to do about it')
    .description(
      'Look over the log, its database, clocks, access, the audit and participants. ' +
        `Exit code ${exitCodes.found} when there is a problem; notes are none.`,
    );
  withAsking(command, 'one JSON object per line and finding')
    .option('--log <url>', 'look at this log itself, when no coordinator runs')
    .action((options: DoctorOptions) => doctor(options, terminal()));
}

async function doctor(options: DoctorOptions, terminal: Terminal): Promise<void> {
  const findings =
    options.log === undefined ? await ofCoordinator(options) : await ofLog(options.log);
  if (options.json) for (const each of findings) terminal.print(JSON.stringify(each));
  else for (const line of linesOf(findings, terminal)) terminal.print(line);
  const count = (level: Finding['level']) => findings.filter((one) => one.level === level).length;
  const [problems, notes] = [count('problem'), count('note')];
  terminal.say(`problems: ${problems}, notes: ${notes}, in order: ${count('ok')}`);
  if (problems > 0) process.exitCode = exitCodes.found;
}

async function ofCoordinator(options: DoctorOptions): Promise<readonly Finding[]> {
  const client = clientOf(options);
  // The server made it: the parse boundary of this client.
  const { findings } = (await client.get('/v1/doctor')) as DoctorAnswer;
  return [await coordinatorClock(options.url, systemClock()), ...findings];
}

/** Without a coordinator the record of what people did is read from the log, too. */
async function ofLog(url: string): Promise<readonly Finding[]> {
  const clock = systemClock();
  const findings = await examineLog(url, clock);
  const isReadable = findings.some(({ check, level }) => check === 'log.schema' && level === 'ok');
  if (!isReadable) return findings;
  const log = await openLog(url, { migrate: false });
  try {
    const nobody = () => ({ node: 'doctor', epoch: 0 });
    return [...findings, ...(await auditFindings(createAudit({ clock, log, term: nobody })))];
  } finally {
    await log.close();
  }
}

const paints = { ok: 'green', note: 'yellow', problem: 'red' } as const satisfies Record<
  Finding['level'],
  Paint
>;
const order: readonly Finding['level'][] = ['problem', 'note', 'ok'];

/** What is worst comes first; texts from elsewhere stay on their line. */
function linesOf(findings: readonly Finding[], terminal: Terminal): readonly string[] {
  const sorted = order.flatMap((level) => findings.filter((one) => one.level === level));
  return sorted.flatMap(({ check, level, seen, remedy }) => {
    const first = `${terminal.paint(paints[level], level.padEnd(7))}  ${check}: ${oneLine(seen, 1_000)}`;
    return remedy === null ? [first] : [first, `         → ${oneLine(remedy, 1_000)}`];
  });
}
