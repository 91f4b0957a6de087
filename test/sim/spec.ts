/**
 * A spec says how to run one seed again: one line of text, as kept in `seeds.txt`.
 *
 * ```
 * seed=17 transactions=9 transfers=4 off=messageLoss,crash only=g4/crash#1 rule=S4   # what it was
 * ```
 *
 * `transfers`, `off` and `only` are as in {@link SeedWish}; `rule` names what it once violated.
 */
import type { SeedWish } from './run.ts';
import type { FaultClass } from './swarm.ts';

/** How to run a seed, and what it found. */
export interface Spec {
  readonly seed: number;
  readonly transactions?: number;
  readonly transfers?: readonly number[];
  readonly off?: readonly FaultClass[];
  readonly only?: readonly string[];
  readonly rule?: string;
}

/** The wish that a spec stands for. */
export function toWish(spec: Spec): SeedWish {
  const { seed, transactions, transfers, off, only } = spec;
  return {
    seed,
    ...(transactions !== undefined && { transactions }),
    ...(transfers !== undefined && { transfers: new Set(transfers) }),
    ...(off !== undefined && { off: new Set(off) }),
    ...(only !== undefined && { only: new Set(only) }),
  };
}

/** One line, without a comment. */
export function formatSpec(spec: Spec): string {
  const { seed, transactions, transfers, off, only, rule } = spec;
  const words = [`seed=${seed}`];
  if (transactions !== undefined) words.push(`transactions=${transactions}`);
  if (transfers !== undefined) words.push(`transfers=${transfers.join()}`);
  if (off !== undefined) words.push(`off=${off.join()}`);
  if (only !== undefined) words.push(`only=${only.join()}`);
  if (rule !== undefined) words.push(`rule=${rule}`);
  return words.join(' ');
}

/** The specs of a file; empty lines and what follows ` # ` or begins a line with `#` is comment. */
export function parseSpecs(text: string): readonly Spec[] {
  return text
    .split('\n')
    .map((line) => line.replace(/(^|\s)#(\s.*)?$/, '').trim())
    .filter((line) => line !== '')
    .map(parseSpec);
}

function parseSpec(line: string): Spec {
  const words = new Map(
    line.split(/\s+/).map((word): [string, string] => {
      const at = word.indexOf('=');
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
  const list = (name: string) => words.get(name)?.split(',').filter(Boolean);
  const number = (text: string): number => {
    if (!/^\d+$/.test(text)) throw new Error(`not a spec: '${line}'`);
    return Number(text);
  };
  const [transactions, transfers, off, only, rule] = [
    words.get('transactions'),
    list('transfers'),
    list('off'),
    list('only'),
    words.get('rule'),
  ];
  return {
    seed: number(words.get('seed') ?? ''),
    ...(transactions !== undefined && { transactions: number(transactions) }),
    ...(transfers !== undefined && { transfers: transfers.map(number) }),
    ...(off !== undefined && { off: off as readonly FaultClass[] }),
    ...(only !== undefined && { only }),
    ...(rule !== undefined && { rule }),
  };
}
