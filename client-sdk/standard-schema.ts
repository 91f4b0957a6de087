/**
 * The Standard Schema interface, version 1 (https://standardschema.dev), types and one function: any
 * validator that has it (zod, valibot, arktype, …) can be given to the SDK without a dependency.
 */

/** A schema. `Input` is what it takes, `Output` what it gives (they differ when it transforms). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A schema's verdict: its output, or one line that says what is wrong. */
export type Validated<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly detail: string };

/** Asks the schema. Waits only when the schema itself is asynchronous. */
export async function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
): Promise<Validated<Output>> {
  const answer = schema['~standard'].validate(value);
  const result = answer instanceof Promise ? await answer : answer;
  if (result.issues === undefined) return { ok: true, value: result.value };
  return { ok: false, detail: result.issues.map(line).join('; ') };
}

function line(issue: SchemaIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
  return path.length === 0 ? issue.message : `${path.join('.')}: ${issue.message}`;
}
