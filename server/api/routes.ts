/**
 * Every verb that is reached by HTTP, once: the app serves them, /openapi.json describes them, and
 * the tests go through them. Pages and streams, which have no verb, are in app.ts.
 */
import { deskRoutes } from './desk.ts';
import { lookoutRoutes } from './lookout.ts';
import type { Route } from './route.ts';
import { sagaRoutes } from './sagas.ts';
import { transactionRoutes } from './transactions.ts';
import { undoRoutes } from './undo.ts';

/** All routes, in the order in which /openapi.json shows them. */
export function apiRoutes(): readonly Route[] {
  return [
    ...transactionRoutes(),
    ...sagaRoutes(),
    ...undoRoutes(),
    ...deskRoutes(),
    ...lookoutRoutes(),
  ];
}
