/** Bugs of guards: whom they let pass, for how long, and whether they look where the lock is. */
import { lines, type Mutant } from './mutant.ts';

const postgres = 'client-sdk/resource/postgres/guard.ts';
const pass =
  'if (changes.some(({ table }) => table.facts.isGuarded)) await session.query(passGuards);';

/** Bugs of `settle migrate --guard` and of those who pass guards. */
export const guardMutants: readonly Mutant[] = [
  {
    name: 'guard-pass-outlives-its-savepoint',
    idea: 'a local transaction thinks that guards know it, when that was taken back with a savepoint',
    file: 'client-sdk/resource/journal.ts',
    find: lines('heal(name: string): void {', '    this.hasPass = false;'),
    replace: 'heal(name: string): void {',
    killedBy: ['at-guard'],
  },
  {
    name: 'guard-pass-stays-on-the-connection',
    idea: 'who gets a connection of MySQL after a local transaction passes guards, too',
    file: 'client-sdk/resource/mysql/session.ts',
    find: lines('  // Always: who has set it may not have come to tell.', '  closeGuards,'),
    replace: '',
    killedBy: ['at-guard-of-mysql'],
  },
  {
    name: 'guard-pass-of-another-transaction',
    idea: 'a guard on PostgreSQL does not look whose transaction it is that passes',
    file: postgres,
    find: "current_setting('settle.writer', true) = pg_current_xact_id_if_assigned()::text",
    replace: "current_setting('settle.writer', true) <> ''",
    killedBy: ['at-guard-postgres'],
  },
  {
    name: 'rollback-stopped-by-a-guard',
    idea: 'phase two on PostgreSQL does not say that it comes from Settle',
    file: 'client-sdk/resource/postgres/restore.ts',
    find: pass,
    replace: '',
    killedBy: ['at-guard'],
  },
  {
    name: 'rollback-stopped-by-a-guard-of-mysql',
    idea: 'phase two on MySQL does not say that it comes from Settle',
    file: 'client-sdk/resource/mysql/restore.ts',
    find: pass,
    replace: '',
    killedBy: ['at-guard-of-mysql'],
  },
  {
    name: 'guard-key-with-zeros',
    idea: 'a guard looks for 1.50 where the lock says 1.5',
    file: postgres,
    find: ", '.') > 0",
    replace: ", '.') < 0",
    killedBy: ['at-guard-postgres'],
  },
  {
    name: 'guard-key-by-cast',
    idea: 'a guard takes the text of a cast, which is not that of an image: true and not t',
    file: postgres,
    find: 'const text = `concat(',
    replace: 'const text = `text(',
    killedBy: ['at-guard-postgres'],
  },
  {
    name: 'guard-under-an-old-snapshot',
    idea: 'a guard believes a snapshot of before the lock was taken',
    file: postgres,
    find: 'if holder is null and octet_length(row_at) <= 512',
    replace: 'if holder is null and octet_length(row_at) < 0',
    killedBy: ['at-guard-postgres'],
  },
  {
    name: 'guard-with-a-key-of-another-weight',
    idea: 'a guard on MySQL looks for the letters where the lock is their weight',
    file: 'client-sdk/resource/mysql/image-columns.ts',
    find: "const expression = fields.get(form === 'weight' ? weightOf(name) : name);",
    replace: "const expression = fields.get(form === 'weight' ? name : name);",
    killedBy: ['at-guard-mysql'],
  },
];
