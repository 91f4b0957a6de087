/**
 * The command language of the traces: one line of text becomes one event, or something that happens
 * to the world. What each command says is told by the stories under `traces/`.
 */
import type {
  Attention,
  BranchSpec,
  Direction,
  Json,
  Participant,
  StepSpec,
} from '../../client-sdk/protocol/index.ts';
import type { OperationResult } from '../../server/core/event.ts';
import type { EventBody } from './world.ts';

export type Command =
  | { readonly kind: 'event'; readonly body: EventBody }
  | { readonly kind: 'at'; readonly offsetMs: number }
  | { readonly kind: 'crash'; readonly lost: number }
  | { readonly kind: 'replay' }
  | { readonly kind: 'owed' };

/** Where steps live that do not say it. */
export const defaultService = 'travel';

/** Reads one command (without `> `). Throws on what it does not know. */
export function parseCommand(line: string): Command {
  const [verb = '', ...words] = wordsOf(line);
  switch (verb) {
    case 'at':
      return { kind: 'at', offsetMs: durationMs(words[0]?.replace('+', '') ?? '') };
    case 'crash':
      return { kind: 'crash', lost: 0 };
    case 'lose':
      return {
        kind: 'crash',
        lost: words[0] === 'lazy' ? Number.POSITIVE_INFINITY : Number(words[0]),
      };
    case 'replay':
    case 'owed':
      return { kind: verb };
    default:
      return { kind: 'event', body: parseEvent(verb, words) };
  }
}

function parseEvent(verb: string, words: readonly string[]): EventBody {
  switch (verb) {
    case 'begin':
      return {
        kind: 'begin',
        ...beginning(words),
        branches: bare(words.slice(1)).flatMap(branches),
      };
    case 'submit':
      return {
        kind: 'submit',
        ...beginning(words),
        input: parseJson(option(words, 'input') ?? 'null'),
        steps: bare(words.slice(1)).flatMap(steps),
      };
    case 'register': {
      const [request = '', ...rest] = words;
      return {
        kind: 'register',
        request,
        content: rest.join(' '),
        branches: rest.flatMap(branches),
      };
    }
    case 'commit':
    case 'rollback': {
      const direction: Direction = verb;
      const by = words[0] === 'by' ? ({ by: 'operator' } as const) : {};
      const at = words.indexOf('because');
      const reason = at === -1 ? null : text(words[at + 1]);
      return { kind: 'decide', direction, reason, ...by };
    }
    case 'settle':
      return settle(words);
    case 'deadline':
      return { kind: 'deadline' };
    case 'attention': {
      const branchId = words[1] === '-' ? null : Number(words[1]);
      const reason = words[0] as Attention['reason'];
      return { kind: 'attention', reason, branchId, detail: text(words[2]) };
    }
    case 'done':
    case 'refused':
    case 'unknown':
      return { kind: 'results', results: results([verb, ...words]) };
    default:
      throw new Error(`unknown command '${verb}'`);
  }
}

/** `settle 1:confirm because "…"`, `settle 2:run = 5 because "…"`, `settle all because "…"`. */
function settle(words: readonly string[]): EventBody {
  const [what = '', sign, value] = words;
  const [id, operation] = what.split(':');
  const reason = text(words[words.indexOf('because') + 1]);
  const owed = {
    branchId: Number(id),
    operation: operation as OperationResult['operation'],
  };
  return {
    kind: 'settle',
    owed: what === 'all' ? null : owed,
    result: sign === '=' ? parseJson(value ?? '') : null,
    operator: { who: 'eve', reason },
  };
}

function beginning(words: readonly string[]) {
  const [name = ''] = words;
  const timeout = option(words, 'timeout');
  const content = words.join(' ');
  const timeoutMs = timeout === null ? null : durationMs(timeout);
  return { gid: 'g', name, content, labels: {}, timeoutMs };
}

/**
 * `debit@bank`, `pay@http://…`, with a payload `debit@bank{"cents":5}`, many `debit@bank*256`. What
 * begins with `at.` as the methods of resources do (`at.orders@shop`) is of kind at.
 */
function branches(word: string): readonly BranchSpec[] {
  const match = /^(?<target>[^{]*?)(?<payload>\{.*\})?(?:\*(?<count>\d+))?$/.exec(word)?.groups;
  const target = match?.['target'] ?? '';
  const payload = match?.['payload'];
  const spec: BranchSpec = {
    ...(target.startsWith('at.') ? { kind: 'at' } : {}),
    participant: participantOf(target),
    ...(payload === undefined ? {} : { payload: parseJson(payload) }),
  };
  return Array.from({ length: Number(match?.['count'] ?? 1) }, () => spec);
}

/** `hotel`, `hotel@inn`, `hotel(after flight,car; pivot; attempts 2)`, many `leg*256` (leg-1, leg-2 …). */
function steps(word: string): readonly StepSpec[] {
  const match = /^(?<target>[^(]*?)(?:\((?<how>.*)\))?(?:\*(?<count>\d+))?$/.exec(word)?.groups;
  const target = match?.['target'] ?? '';
  const clauses = (match?.['how'] ?? '').split(';').map((clause) => clause.trim());
  const value = (key: string) =>
    clauses.find((clause) => clause === key || clause.startsWith(`${key} `))?.slice(key.length + 1);
  const after = value('after');
  const attempts = value('attempts');
  const spec: StepSpec = {
    name: target.split('@', 1)[0] ?? '',
    participant: participantOf(target),
    ...(after === undefined ? {} : { after: after === 'nothing' ? [] : after.split(/, */) }),
    ...(attempts === undefined ? {} : { attempts: Number(attempts) }),
    ...(value('pivot') === undefined ? {} : { pivot: true }),
  };
  const count = match?.['count'];
  if (count === undefined) return [spec];
  return Array.from({ length: Number(count) }, (_, i) => ({
    ...spec,
    name: `${spec.name}-${i + 1}`,
  }));
}

function participantOf(target: string): Participant {
  const at = target.indexOf('@');
  if (at < 0) return { service: defaultService, method: target };
  const where = target.slice(at + 1);
  if (where.includes('://')) return { url: where };
  return { service: where, method: target.slice(0, at) };
}

/** `done 1:run = 5 and unknown 2:run "time-out"`: results that came together. */
function results(words: readonly string[]): readonly OperationResult[] {
  const groups: string[][] = [[]];
  for (const word of words) {
    if (word === 'and') groups.push([]);
    else groups.at(-1)?.push(word);
  }
  return groups.map(([outcome, key = '', ...rest]) => {
    const [id, operation] = key.split(':');
    const said =
      rest[0] === '='
        ? { result: parseJson(rest[1] ?? '') }
        : rest[0]
          ? { error: text(rest[0]) }
          : {};
    return {
      branchId: Number(id),
      operation: operation as OperationResult['operation'],
      outcome: outcome as OperationResult['outcome'],
      ...said,
    };
  });
}

function option(words: readonly string[], key: string): string | null {
  return words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? null;
}

function bare(words: readonly string[]): readonly string[] {
  return words.filter((word) => !/^(?:timeout|input)=/.test(word));
}

function durationMs(word: string): number {
  const match = /^(\d+)(ms|s|min|h)$/.exec(word);
  if (match === null) throw new Error(`no duration: '${word}'`);
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 };
  return Number(match[1]) * (units[match[2] ?? ''] ?? 0);
}

/** `"…"` as JSON writes it, or `long(600)` for so many times `x`. */
function text(word = ''): string {
  const long = /^long\((\d+)\)$/.exec(word);
  return long === null ? String(parseJson(word)) : 'x'.repeat(Number(long[1]));
}

function parseJson(word: string): Json {
  return JSON.parse(word) as Json;
}

/** Splits at spaces that are in no quotes and no brackets. */
function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  let word = '';
  let depth = 0;
  let isQuoted = false;
  for (let i = 0; i < line.length; i += 1) {
    const char = line.charAt(i);
    if (char === '"' && line.charAt(i - 1) !== '\\') isQuoted = !isQuoted;
    if (!isQuoted && '([{'.includes(char)) depth += 1;
    if (!isQuoted && ')]}'.includes(char)) depth -= 1;
    if (char === ' ' && depth === 0 && !isQuoted) {
      if (word !== '') words.push(word);
      word = '';
    } else word += char;
  }
  return word === '' ? words : [...words, word];
}
