/** `settle audit`: what operators have done, and whether the record of it is whole. Reads only. */
import type { Command } from 'commander';
import {
  type AuditAnswer,
  type AuditVerdict,
  type AuditView,
  auditOutcome,
  type Json,
} from '../../client-sdk/protocol/index.ts';
import { endWith } from './exit.ts';
import { type AskOptions, clientOf, countUpTo, withAsking } from './options.ts';
import { pagesOf } from './pages.ts';
import { oneLine, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';
import { timeText } from './transaction-text.ts';

interface ListOptions extends AskOptions {
  readonly limit: number;
  readonly before?: number;
}

const listLimitDefault = 50;
const listLimitMax = 1_000_000;
const pageMax = 256;

/** Adds `audit` and its verbs. */
export function registerAudit(program: Command, terminal: () => Terminal): void {
  const audit = program
    .command('audit')
    .summary('look at what operators have done')
    .description('Look at what operators have done, and whether the record of it is whole.');
  withAsking(
    audit.command('list').description('List what operators have done, newest first.'),
    'one JSON object per line',
  )
    .option('--limit <n>', 'how many at most', countUpTo(listLimitMax), listLimitDefault)
    .option('--before <n>', 'only entries before this one', countUpTo(Number.MAX_SAFE_INTEGER))
    .action((options: ListOptions) => list(options, terminal()));
  withAsking(
    audit
      .command('verify')
      .description('Check that every entry is as it was written; exit code 10 when one is not.'),
  ).action((options: AskOptions) => verify(options, terminal()));
}

async function list(options: ListOptions, terminal: Terminal): Promise<void> {
  const client = clientOf(options);
  const found: AuditView[] = [];
  const pages = pagesOf({
    ...{ from: options.before ?? null, limit: options.limit, pageMax },
    async ask(limit, before: number | undefined) {
      // The server made it: the parse boundary of this client.
      return (await client.get('/v1/audit', { limit, before })) as AuditAnswer;
    },
    read: ({ entries, nextBefore }) => ({ count: entries.length, next: nextBefore }),
  });
  let before: number | null = null;
  for await (const page of pages) {
    if (options.json) for (const each of page.entries) terminal.print(JSON.stringify(each));
    else found.push(...page.entries);
    before = page.nextBefore;
  }
  if (!options.json) {
    if (found.length === 0) terminal.say('Nobody has done anything.');
    else for (const line of auditTable(found, terminal)) terminal.print(line);
  }
  if (before !== null) terminal.say(`There are more: --before ${before}`);
}

function auditTable(entries: readonly AuditView[], terminal: Terminal): readonly string[] {
  const head = ['SEQ', 'TIME', 'WHO', 'ACTION', 'STAGE', 'OF', 'TARGET', 'REASON'];
  return tableLines(
    head.map((title) => terminal.paint('dim', title)),
    entries.map(({ seq, atMs, who, action, stage, of, target, after, reason }) => [
      String(seq),
      timeText(atMs),
      oneLine(who, 32),
      action,
      // A refusal is an end, too, and must not read as if it had been done.
      stage === 'done' ? auditOutcome({ action, after }).text : stage,
      of === null ? '' : String(of),
      targetText(target),
      oneLine(reason, 80),
    ]),
  );
}

/** The gid, or how many; a service; anything else as it is. */
export function targetText(target: Json): string {
  if (target !== null && typeof target === 'object' && !Array.isArray(target)) {
    // A record: lists went out above, which TypeScript does not see of a readonly one.
    const { gid, gids, branchId, service } = target as { readonly [key: string]: Json };
    const branch = typeof branchId === 'number' ? ` branch ${branchId}` : '';
    if (typeof gid === 'string') return oneLine(`${gid}${branch}`, 80);
    if (typeof service === 'string') return oneLine(service, 80);
    if (Array.isArray(gids)) {
      const [first] = gids;
      if (gids.length === 1) return oneLine(`${String(first)}${branch}`, 80);
      return `${gids.length} transactions`;
    }
  }
  return oneLine(JSON.stringify(target), 60);
}

async function verify(options: AskOptions, terminal: Terminal): Promise<void> {
  const answer = await clientOf(options).get('/v1/audit/verify', {}, { isLong: true });
  const verdict = answer as AuditVerdict;
  const { entries, head, brokenAt } = verdict;
  if (options.json) terminal.print(JSON.stringify(verdict));
  else {
    terminal.print(`entries    ${entries}`);
    terminal.print(`head       ${head}`);
    const text = brokenAt === null ? 'every entry is as it was written' : `broken at ${brokenAt}`;
    terminal.print(`verdict    ${terminal.paint(brokenAt === null ? 'green' : 'red', text)}`);
  }
  if (brokenAt !== null) endWith('found');
}
