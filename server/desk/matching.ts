/** Which open transactions a query finds: by the list that everybody sees, page by page. */
import { type Gid, limits, type TransactionQuery } from '../../client-sdk/protocol/index.ts';
import type { Answer, Coordinator } from '../engine/coordinator.ts';
import type { Matched } from './desk.ts';

/** More are not counted: nobody reads further, and each page costs. */
const countMax = 100_000;

/** Open ones only, for nothing can be done to others. */
export function matchingBy(list: Coordinator['list']) {
  return async (query: TransactionQuery, limit: number): Promise<Answer<Matched>> => {
    const gids: Gid[] = [];
    let total = 0;
    let cursor: string | null = null;
    do {
      const page = { ...query, outcome: 'open', limit: limits.pageSizeMax } as const;
      const request = cursor === null ? page : { ...page, cursor };
      const answer = await new Promise<Parameters<Parameters<typeof list>[1]>[0]>((resolve) =>
        list(request, resolve),
      );
      if (!answer.ok) return answer;
      const { transactions, nextCursor } = answer.body;
      total += transactions.length;
      gids.push(...transactions.slice(0, limit - gids.length).map(({ gid }) => gid));
      cursor = nextCursor;
    } while (cursor !== null && total < countMax);
    return { ok: true, body: { gids, total } };
  };
}
