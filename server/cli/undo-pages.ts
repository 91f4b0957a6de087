/** Undo rows of a transaction read whole: every page of every resource that it was at. Reads only. */
import {
  type InspectedRow,
  limits,
  type UndoAnswer,
  type UndoOfResource,
} from '../../client-sdk/protocol/index.ts';
import { Failure } from '../runtime/failure.ts';
import type { ApiClient } from './api-client.ts';

/** Which resource is meant, where a transaction was at several. */
export interface ResourceChoice {
  readonly resource?: string;
  readonly branch?: number;
}

/** Rows of one resource that are read at most: a person looks at them. */
const rowsMax = 20_000;

/** All resources, or those that are meant, each with all its rows; dirty ones come first. */
export async function readUndo(
  client: ApiClient,
  gid: string,
  choice: ResourceChoice,
): Promise<UndoAnswer> {
  const path = `/v1/transactions/${gid}/undo`;
  // The server made it: the parse boundary of this client.
  const first = (await client.get(path, { limit: limits.pageSizeMax })) as UndoAnswer;
  const meant = first.resources.filter((each) => isMeant(each, choice));
  if (meant.length === 0 && first.resources.length > 0) {
    throw new Failure('NOT_FOUND', 'It was at no such resource.');
  }
  const resources: UndoOfResource[] = [];
  for (const each of meant) resources.push(await restOf(client, path, each));
  return { ...first, resources };
}

function isMeant({ resource, branchIds }: UndoOfResource, choice: ResourceChoice): boolean {
  if (choice.resource !== undefined && choice.resource !== resource) return false;
  return choice.branch === undefined || branchIds.includes(choice.branch);
}

async function restOf(
  client: ApiClient,
  path: string,
  first: UndoOfResource,
): Promise<UndoOfResource> {
  const rows: InspectedRow[] = [...first.rows];
  let page = first;
  while (page.nextCursor !== null && rows.length < rowsMax) {
    const query = {
      branchId: first.branchIds[0],
      limit: limits.pageSizeMax,
      cursor: page.nextCursor,
    };
    const [next] = ((await client.get(path, query)) as UndoAnswer).resources;
    if (next === undefined || next.error !== null) {
      const detail = next?.error?.detail ?? 'it is gone';
      throw new Failure('UNREACHABLE', `The participant gives no more rows: ${detail}`);
    }
    if (next.seen !== first.seen) {
      throw new Failure('ROW_CHANGED', 'Rows have changed while they were read.');
    }
    page = next;
    rows.push(...page.rows);
  }
  return { ...first, rows, nextCursor: page.nextCursor };
}
