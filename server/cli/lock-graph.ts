/** `settle lock graph`: who waits for whom at this moment, as a tree of those who are waited for. */
import type { Command } from 'commander';
import type {
  Gid,
  LockedTransaction,
  LockGraphAnswer,
  LockWait,
} from '../../client-sdk/protocol/index.ts';
import { type AskOptions, clientOf, withAsking } from './options.ts';
import { oneLine } from './table.ts';
import type { Terminal } from './terminal.ts';
import { ageText, paintPhase } from './transaction-text.ts';

/** Adds `lock graph`. */
export function registerLockGraph(lock: Command, terminal: () => Terminal): void {
  const command = lock
    .command('graph')
    .description('Show which transactions wait for which, over all databases, now.');
  withAsking(command, 'one JSON object per line: a wait, a transaction, a cycle').action(
    (options: AskOptions) => graph(options, terminal()),
  );
}

async function graph(options: AskOptions, terminal: Terminal): Promise<void> {
  // The server made it: the parse boundary of this client.
  const answer = (await clientOf(options).get('/v1/locks/graph')) as LockGraphAnswer;
  if (options.json) for (const line of jsonLines(answer)) terminal.print(line);
  else if (answer.waits.length === 0) terminal.say('Nobody waits for a lock.');
  else for (const line of graphLines(answer, terminal)) terminal.print(line);
  for (const { who, detail } of answer.unasked) {
    terminal.say(`${who} did not say what it holds: ${oneLine(detail, 160)}`);
  }
  if (answer.isCut) terminal.say('There is more than is shown.');
}

function jsonLines({ waits, transactions, cycles, unasked }: LockGraphAnswer): readonly string[] {
  return [
    ...waits.map((wait) => JSON.stringify({ wait })),
    ...transactions.map((transaction) => JSON.stringify({ transaction })),
    ...cycles.map((cycle) => JSON.stringify({ cycle })),
    ...unasked.map((one) => JSON.stringify({ unasked: one })),
  ];
}

/** Whom somebody waits for: a gid, or a connection of which no gid is known. */
function targetOf({ waitsFor, database, connection }: LockWait): string {
  return waitsFor ?? `connection ${connection} of ${database}`;
}

interface Drawing {
  readonly answer: LockGraphAnswer;
  readonly terminal: Terminal;
  readonly waiters: ReadonlyMap<string, readonly LockWait[]>;
  readonly drawn: Set<string>;
  readonly lines: string[];
}

function graphLines(answer: LockGraphAnswer, terminal: Terminal): readonly string[] {
  const waiters = Map.groupBy(answer.waits, targetOf);
  const drawing: Drawing = { answer, terminal, waiters, drawn: new Set(), lines: [] };
  const waiting = new Set(answer.waits.map(({ gid }) => gid));
  const roots = [...waiters.keys()].filter((target) => !waiting.has(target));
  // Of a cycle nobody is a root: then it is whoever began first.
  const inCycles = answer.transactions.map(({ gid }) => gid).filter((gid) => waiters.has(gid));
  for (const root of [...roots, ...inCycles]) {
    if (drawing.drawn.has(root)) continue;
    if (drawing.lines.length > 0) drawing.lines.push('');
    drawing.lines.push(...rootLines(root, drawing));
    drawWaiters(root, '', drawing);
  }
  for (const cycle of answer.cycles) {
    const text = `In a cycle, these wait for each other: ${cycle.join(', ')}`;
    drawing.lines.push('', terminal.paint('red', text));
  }
  return drawing.lines;
}

function rootLines(root: string, { answer, terminal }: Drawing): readonly string[] {
  const found = answer.transactions.find(({ gid }) => gid === root);
  if (found === undefined) return [`${root}, of no global transaction that is known`];
  return [standing(found, answer.atMs, terminal), ...holdings(found).map((line) => `  ${line}`)];
}

function standing(
  { gid, name, phase, startedAtMs }: LockedTransaction,
  nowMs: number,
  terminal: Terminal,
): string {
  const label = name === null ? '' : ` ${oneLine(name, 32)}`;
  const state = phase === null ? ' not begun' : ` ${paintPhase(phase, terminal)}`;
  const age = startedAtMs === null ? '' : `, open for ${ageText(nowMs - startedAtMs)}`;
  return `${terminal.paint('bold', gid)}${label}${state}${age}`;
}

const rowsOfText = 3;

function holdings({ connections, rows, isRowsCut }: LockedTransaction): readonly string[] {
  const open = connections.map(({ database, id }) => `${database} (connection ${id})`);
  const shown = rows.slice(0, rowsOfText).map(({ database, table, key, row }) => {
    const columns =
      row === null
        ? key
        : Object.entries(row)
            .map((one) => one.join('='))
            .join(' ');
    return `${database} ${table} ${columns}`;
  });
  const isMore = isRowsCut || rows.length > rowsOfText;
  const texts = isMore ? [...shown, '…'] : shown;
  return [
    ...(open.length === 0 ? [] : [`at work in ${open.join(', ')}`]),
    ...(texts.length === 0 ? [] : [`holds ${oneLine(texts.join('; '), 200)}`]),
  ];
}

function drawWaiters(target: string, indent: string, drawing: Drawing): void {
  const { waiters, drawn, lines, answer, terminal } = drawing;
  drawn.add(target);
  const own = waiters.get(target) ?? [];
  for (const [at, wait] of own.entries()) {
    const isLast = at === own.length - 1;
    const isAbove = drawn.has(wait.gid);
    const text = waitText(wait, answer, terminal);
    lines.push(`${indent}${isLast ? '└─ ' : '├─ '}${text}${isAbove ? ' (see above)' : ''}`);
    if (!isAbove) drawWaiters(wait.gid, `${indent}${isLast ? '   ' : '│  '}`, drawing);
  }
}

function waitText(wait: LockWait, answer: LockGraphAnswer, terminal: Terminal): string {
  const { gid, kind, database, connection, sinceMs, isInCycle, givesWay } = wait;
  const name = nameOf(gid, answer);
  const where = database === null ? '' : ` in ${database}`;
  const what =
    kind === 'lock' ? `a lock${where} (connection ${connection})` : `its decision${where}`;
  const marks = [isInCycle ? ' in a cycle' : '', givesWay ? ' gives way' : ''].join('');
  const text = `${gid}${name} waits ${ageText(answer.atMs - sinceMs)} for ${what}`;
  return `${text}${terminal.paint('red', marks)}`;
}

function nameOf(gid: Gid, { transactions }: LockGraphAnswer): string {
  const name = transactions.find((one) => one.gid === gid)?.name ?? null;
  return name === null ? '' : ` ${oneLine(name, 32)}`;
}
