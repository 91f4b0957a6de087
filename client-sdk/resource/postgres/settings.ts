/**
 * Settings of a session that would make a statement mean something else than its analysis, or an
 * image something else than the row. They may be set where the pool makes its connections, not
 * inside of a global transaction.
 */
import { unsupported } from '../refusal.ts';

const guarded: ReadonlySet<string> = new Set([
  // Which table a name means.
  'search_path',
  'role',
  'session_authorization',
  // How a text is read, and sent.
  'standard_conforming_strings',
  'client_encoding',
  // How values are written and read.
  'array_nulls',
  'lc_monetary',
  'quote_all_identifiers',
  'xmloption',
  // What a local commit may promise, and what a statement of ours has to see.
  'synchronous_commit',
  'transaction_isolation',
  'transaction_read_only',
  // Triggers and foreign keys off.
  'session_replication_role',
]);

/** Throws AT_UNSUPPORTED_SQL for a setting that may not change. Null: one that cannot be told. */
export function refuseSetting(name: string | null): void {
  if (name !== null && !guarded.has(name.toLowerCase())) return;
  throw unsupported(
    name === null ? 'a setting whose name is not a constant' : `changing ${name.toLowerCase()}`,
    'set it for all connections of the pool; name a schema in the statement (`shop.orders`)',
  );
}
