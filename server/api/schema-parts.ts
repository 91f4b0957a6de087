/**
 * Parts that the schemas of requests and answers are put together from; the schemas themselves are
 * in the files named `…shapes.ts`. Guards that one word of the API has one grammar everywhere.
 */
import { limits } from '../../client-sdk/protocol/index.ts';

/** A JSON Schema (2020-12) as plain data. */
export type Schema = { readonly [keyword: string]: unknown };

/** Reference to a schema by its name in `components.schemas`. */
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** An object of a request: nothing else may be in it. */
export function record(
  properties: { readonly [name: string]: Schema },
  required: readonly string[],
): Schema {
  return { type: 'object', properties, required, additionalProperties: false };
}

/** An object of an answer: it may grow, so readers leave what they do not know. */
export function answer(
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required };
}

/** Or null. */
export const orNull = (schema: Schema): Schema => ({ oneOf: [schema, { type: 'null' }] });

/** Of an answer: as many as there are. */
export const listOf = (items: Schema): Schema => ({ type: 'array', items });

/** Of a global transaction; callers may choose it. */
export const gid: Schema = { type: 'string', pattern: limits.gidPattern };

/** Of a transaction, a step, a service, a method or a resource. */
export const name: Schema = { type: 'string', pattern: limits.namePattern };

/** Of a request; those of an answer are any {@link integer}. */
export const branchId: Schema = { type: 'integer', minimum: 1, maximum: limits.branchesMax };

/** How many a page of a list has at the most. */
export const pageLimit: Schema = { type: 'integer', minimum: 1, maximum: limits.pageSizeMax };

/** A whole number from 0 that JavaScript can tell from its neighbours; also a time in ms. */
export const natural: Schema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** Why an operator asks for a change; `kept` says where it is kept. */
export const reason = (kept: string): Schema => ({
  type: 'string',
  minLength: 1,
  maxLength: limits.reasonLengthMax,
  description: `Why; kept in ${kept}.`,
});

/** How a global transaction runs. */
export const mode: Schema = { type: 'string', enum: ['transaction', 'saga'] };

/** Where a global transaction is. */
export const phase: Schema = {
  type: 'string',
  enum: ['active', 'committing', 'committed', 'rollingBack', 'rolledBack'],
};

/** Of an answer. */
export const text: Schema = { type: 'string' };

/** Of an answer. */
export const textOrNull: Schema = { type: ['string', 'null'] };

/** Of an answer: a count, a position, or a time in ms. */
export const integer: Schema = { type: 'integer' };

/** Of an answer. */
export const integerOrNull: Schema = { type: ['integer', 'null'] };

/** Of an answer: whether it is so. */
export const truth: Schema = { type: 'boolean' };
