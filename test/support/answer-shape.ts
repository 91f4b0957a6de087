/** Whether an answer is what /openapi.json says, field for field, with no field more. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import { answerSchemas } from '../../server/api/answer-shapes.ts';
import { schemas } from '../../server/api/shapes.ts';

/** The name of an answer in /openapi.json. */
export type ShapeName = keyof typeof answerSchemas;

/** The published schemas allow more fields, so that clients survive new ones; here none may be extra. */
const closed = Object.fromEntries(
  Object.entries({ ...schemas, ...answerSchemas }).map(([name, schema]) => [
    name,
    'properties' in schema ? { ...schema, additionalProperties: false } : schema,
  ]),
);
const ajv = new Ajv2020({ strict: true, strictTypes: false, allowUnionTypes: true });
ajv.addVocabulary(['components']);
ajv.addSchema({ components: { schemas: closed } }, 'closed');

export function expectShape(name: ShapeName, answer: unknown): void {
  const isShape = ajv.compile({ $ref: `closed#/components/schemas/${name}` });
  isShape(answer);
  expect(isShape.errors, JSON.stringify(answer)).toBeNull();
}
