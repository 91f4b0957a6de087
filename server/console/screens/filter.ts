/**
 * What the list of transactions is narrowed by, as it stands in the address: so that a view can be
 * sent, saved, and come back to. Pure. Guards: a bulk operation gets exactly the conditions of the list.
 */
import type { TransactionQuery } from '../../../client-sdk/protocol/desk.ts';

/** Conditions that are typed, and what they are called. */
export const searchFields = {
  error: 'error text',
  gid: 'gid begins',
  name: 'name is',
  service: 'service',
  method: 'method',
  label: 'label key=value',
} as const;

/** One of them. */
export type SearchField = keyof typeof searchFields;

/** Everything of an address that narrows the list. */
export const conditionNames = [
  ...(Object.keys(searchFields) as readonly SearchField[]),
  'mode',
  'outcome',
  'phase',
  'attention',
  'startedAfterMs',
  'startedBeforeMs',
] as const;

/** Known of open transactions only; the coordinator refuses them with another outcome. */
const ofOpenOnes: readonly string[] = ['error', 'service', 'method'];

/** Conditions of the list, as texts. */
export type Conditions = Readonly<Partial<Record<(typeof conditionNames)[number], string>>>;

/** Those of an address; what it does not know is left out. */
export function conditionsIn(query: URLSearchParams): Conditions {
  return Object.fromEntries(
    conditionNames.flatMap((name) => {
      const value = query.get(name);
      return value === null || value === '' ? [] : [[name, value]];
    }),
  );
}

/** More is asked for than that it is open. */
export function isNarrowed(conditions: Conditions): boolean {
  return Object.keys(conditions).some((name) => name !== 'outcome');
}

/** One of them changed; an empty value takes it out, and paging begins anew. */
export function changed(
  query: URLSearchParams,
  changes: Readonly<Record<string, string>>,
): URLSearchParams {
  const next = new URLSearchParams(query);
  next.delete('cursor');
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') next.delete(name);
    else next.set(name, value);
  }
  const isOpenOnly = ofOpenOnes.some((name) => next.has(name));
  if (isOpenOnly && next.get('outcome') !== 'open') next.set('outcome', 'open');
  return next;
}

/** The same as a query of an operation. The coordinator checks each value; here only numbers are made. */
export function queryOf(conditions: Conditions): TransactionQuery {
  const { attention, startedAfterMs, startedBeforeMs, ...texts } = conditions;
  const query = {
    ...texts,
    ...(attention === 'true' ? { attention: true } : {}),
    ...(startedAfterMs === undefined ? {} : { startedAfterMs: Number(startedAfterMs) }),
    ...(startedBeforeMs === undefined ? {} : { startedBeforeMs: Number(startedBeforeMs) }),
  };
  // The parse boundary: a mode or phase that does not exist is refused by the coordinator.
  return query as TransactionQuery;
}
