import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { plainPages } from '../../server/api/openapi.ts';
import { apiRoutes } from '../../server/api/routes.ts';
import { createEdge } from './support.ts';

interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly { name: string; in: string; schema: object | undefined }[];
  readonly requestBody?: { content: { 'application/json': { schema: object } } };
  readonly responses: Readonly<Record<string, { description: string; content: object }>>;
}
interface Document {
  readonly openapi: string;
  readonly info: { title: string; version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { schemas: Readonly<Record<string, object>> };
}

async function documentOf(edge = createEdge()): Promise<Document> {
  return (await edge.get('/openapi.json')).json<Document>();
}

/** Every `$ref` in a value. */
function refsOf(value: unknown): readonly string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' ? [String(inner)] : refsOf(inner),
  );
}

describe('/openapi.json', () => {
  test('has every route that Fastify serves, and no other', async () => {
    const edge = createEdge();
    const document = await documentOf(edge);
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = apiRoutes();
    const served = [
      ...routes.map((route) => `${route.method} ${route.path}`),
      ...plainPages.map(([path]) => `GET ${path}`),
    ];
    expect(described.toSorted()).toEqual(served.toSorted());
    for (const line of served) {
      const [method = '', path = ''] = line.split(' ');
      const url = path.replaceAll(/\{(\w+)\}/g, ':$1');
      expect(edge.app.hasRoute({ method: method === 'GET' ? 'GET' : 'POST', url })).toBe(true);
    }
  });

  test('is 3.1, its references lead somewhere, its schemas compile, its ids are unique', async () => {
    const document = await documentOf();
    expect(document.openapi).toBe('3.1.0');
    for (const ref of refsOf(document)) {
      expect(document.components.schemas).toHaveProperty(ref.replace('#/components/schemas/', ''));
    }
    const ajv = new Ajv2020({ strict: true, strictTypes: false, allowUnionTypes: true });
    ajv.addVocabulary(['components']);
    ajv.addSchema({ components: document.components }, 'openapi');
    for (const name of Object.keys(document.components.schemas)) {
      ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
    }
    const operations = Object.values(document.paths).flatMap((each) => Object.values(each));
    const ids = operations.flatMap((operation) => operation.operationId ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const operation of operations) {
      for (const parameter of operation.parameters ?? []) {
        expect(parameter.schema, parameter.name).toBeDefined();
      }
    }
  });

  test('what path and route give is not asked of the body', async () => {
    const document = await documentOf();
    const commit = document.paths['/v1/transactions/{gid}/commit']?.['post'];
    const schema = commit?.requestBody?.content['application/json'].schema;
    expect(schema).toMatchObject({ required: [], additionalProperties: false });
    expect(schema).not.toHaveProperty('properties.gid');
    expect(schema).not.toHaveProperty('properties.direction');
    const tried = document.paths['/v1/transactions/{gid}/branches/{branchId}/try']?.['post'];
    // A try says all by its address, but for its place in a trace.
    expect(tried?.requestBody).toMatchObject({
      required: false,
      content: { 'application/json': { schema: { required: [] } } },
    });
  });
});
