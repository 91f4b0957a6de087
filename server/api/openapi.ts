/**
 * `/openapi.json`: OpenAPI 3.1 made of the route list and the schemas that requests are checked
 * with. Nothing is written by hand twice, so the document cannot promise what the server refuses.
 */
import { version } from '../version.ts';
import { answerSchemas } from './answer-shapes.ts';
import { pathNames, type Route } from './route.ts';
import { ref, type Schema } from './schema-parts.ts';
import { schemaNames } from './schemas.ts';
import { schemas } from './shapes.ts';

/** The document, as plain JSON. */
export function openapiDocument(routes: readonly Route[]): Schema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = paths[route.path] ?? {};
    path[route.method.toLowerCase()] = operationOf(route);
    paths[route.path] = path;
  }
  for (const [path, summary, type] of plainPages) paths[path] = { get: pageOf(summary, type) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Settle coordinator',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { schemas: { ...schemas, ...answerSchemas } },
  };
}

/** Addresses outside of the resources: path, summary, media type. */
export const plainPages: readonly (readonly [string, string, string])[] = [
  ['/healthz', 'The process is alive.', 'application/json'],
  ['/readyz', 'It may be sent work (200), or why not (503).', 'application/json'],
  ['/metrics', 'Prometheus text exposition.', 'text/plain'],
  ['/v1/events', 'What changes, as server-sent events: a tick a second.', 'text/event-stream'],
  ['/openapi.json', 'This document.', 'application/json'],
  ['/docs/errors', 'Every error code with its remedy.', 'text/html'],
];

function pageOf(summary: string, type: string): Schema {
  return { summary, responses: { '200': { description: summary, content: { [type]: {} } } } };
}

function operationOf(route: Route): Schema {
  const body = callerSchema(route);
  const properties = body['properties'] as Readonly<Record<string, Schema>>;
  const parameters: Schema[] = pathNames(route.path).map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: requestProperties(route)[name],
  }));
  if (route.method === 'GET') {
    for (const [name, schema] of Object.entries(properties)) {
      parameters.push({ name, in: 'query', required: false, schema });
    }
  }
  const required = (body['required'] as readonly string[]).length > 0;
  const content = { 'application/json': { schema: body } };
  return {
    operationId: operationIdOf(route),
    summary: route.summary,
    parameters,
    ...(route.method === 'POST' && Object.keys(properties).length > 0
      ? { requestBody: { required, content } }
      : {}),
    responses: {
      [route.status]: {
        description: 'Durable.',
        content: { 'application/json': { schema: ref(route.answer) } },
      },
      default: {
        description: 'Refused; see code and remedy.',
        content: { 'application/problem+json': { schema: ref('Problem') } },
      },
    },
  };
}

/** `POST /v1/transactions/{gid}/branches` → `postTransactionsGidBranches`. */
function operationIdOf(route: Route): string {
  const words = route.path.replace('/v1', '').match(/\w+/g) ?? [];
  const named = words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return route.method.toLowerCase() + named.join('');
}

function requestProperties(route: Route): Readonly<Record<string, Schema>> {
  return schemas[schemaNames[route.verb]].properties as Readonly<Record<string, Schema>>;
}

/** The request without what path and route give: what the caller sends. */
function callerSchema(route: Route): Schema {
  const given = new Set([...pathNames(route.path), ...Object.keys(route.constants)]);
  const whole: Schema = schemas[schemaNames[route.verb]];
  const properties = Object.fromEntries(
    Object.entries(requestProperties(route)).filter(([name]) => !given.has(name)),
  );
  const required = (whole['required'] as readonly string[]).filter(
    (name) => !given.has(name) && !(name === 'gid' && route.isGidOptional),
  );
  return { type: 'object', properties, required, additionalProperties: false };
}
