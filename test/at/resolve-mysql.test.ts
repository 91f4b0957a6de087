/** Dirty rows and what becomes of them, on MySQL and MariaDB. */
import { describeOnKind } from './either-kind.ts';
import { resolveSuite } from './resolve-suite.ts';

await describeOnKind('mysql', (kind) => resolveSuite(kind));
