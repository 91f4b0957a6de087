/** What an entry of the audit is about, read from the JSON that it was written with. Pure. */
import { jsonFields } from '../../../client-sdk/protocol/audit-outcome.ts';
import type { AuditView } from '../../../client-sdk/protocol/desk.ts';

/** Whom it concerns. */
export interface About {
  readonly gids: readonly string[];
  readonly service: string | null;
  /** The gids were found by a query. */
  readonly isQuery: boolean;
}

/** Of any entry; what this version does not know is left out. */
export function about({ target }: Pick<AuditView, 'target'>): About {
  const { gid, gids, service, query } = jsonFields(target);
  const all = Array.isArray(gids) ? gids : [gid];
  return {
    gids: all.filter((each) => typeof each === 'string'),
    service: typeof service === 'string' ? service : null,
    isQuery: query !== undefined,
  };
}
