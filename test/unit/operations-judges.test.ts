/**
 * The files that operators install, before the judges of their formats: Prometheus and systemd by their
 * own tools, compose by the schema of its specification, Kubernetes by the types of its API, in which a
 * field that does not exist is an error. What the files say is held in operations.test.ts.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { skipSuite } from '../support/databases.ts';

const root = join(import.meta.dirname, '..', '..');
const modules = join(root, 'node_modules');
const folder = join(root, 'docs', 'operations');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const run = promisify(execFile);

/** A tool, how it is asked for its version, and how it judges. */
const tools: readonly (readonly [tool: string, version: string[], judge: string[]])[] = [
  ['promtool', ['--version'], ['check', 'rules', join(folder, 'alerts.yaml')]],
  ['systemd-analyze', ['--version'], ['verify', '--man=no', join(folder, 'settle.service')]],
];

for (const [tool, version, judge] of tools) {
  const isThere = await run(tool, version).then(
    () => true,
    () => false,
  );
  if (!isThere) skipSuite(tool, 'it is not on this machine');
  else test(`${tool} is content`, () => run(tool, judge));
}

describe('compose', () => {
  // The schema of the specification, as the linter carries it; formats are a matter of the engine's.
  const schema = JSON.parse(
    readFileSync(join(modules, 'dclint/schemas/compose.schema.json'), 'utf8'),
  );
  const isValid = new Ajv({ strict: false, validateFormats: false }).compile(
    // Its address differs from the one that the validator knows by a letter.
    { ...schema, $schema: 'http://json-schema.org/draft-07/schema#' },
  );
  const judged = (text: string): string => {
    const isContent = isValid(parse(text, { merge: true }));
    return isContent ? 'content' : `${isValid.errors?.[0]?.instancePath}`;
  };

  test('the schema is content', () => {
    expect(judged(read('compose.yaml'))).toBe('content');
  });

  test('and would not be with a field that does not exist, or a condition that is none', () => {
    const text = read('compose.yaml');
    expect(judged(text.replace('stop_grace_period:', 'stop_grace:'))).toBe('/services/log');
    expect(judged(text.replace('condition: service_healthy', 'condition: healthy'))).toMatch(
      '/services/migrate/depends_on',
    );
  });
});

describe('kubernetes', () => {
  let place = '';
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), 'settle-kubernetes-'));
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  /** What the compiler says of the objects, each written out as one of its kind. */
  async function judged(text: string): Promise<string> {
    const objects = parseAllDocuments(text, { merge: true }).map((document) => document.toJS());
    const file = join(place, 'objects.ts');
    writeFileSync(file, objects.map(declaration).join('\n'));
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--pretty', 'false'];
    const target = ['--module', 'esnext', '--moduleResolution', 'bundler', '--types', ''];
    const args = [join(modules, 'typescript/bin/tsc'), ...flags, ...target, file];
    return run(process.execPath, args).then(
      () => 'content',
      (error: { readonly stdout: string }) => error.stdout,
    );
  }

  test('the types of the API are content', async () => {
    expect(await judged(read('kubernetes.yaml'))).toBe('content');
  });

  test.each<readonly [edit: string, find: string | RegExp, replacement: string, verdict: string]>([
    ['a field that does not exist', 'startupProbe:', 'startProbe:', '"startProbe"'],
    ['a wrong type', 'containerPort: 7400', 'containerPort: http', "'string' is not assignable"],
    [
      'a field that is missing',
      / {2}selector:\n {4}matchLabels: .*\n/,
      '',
      "'selector' is missing",
    ],
  ])('and would not be with %s', async (_edit, find, replacement, verdict) => {
    const text = read('kubernetes.yaml');
    expect(await judged(text.replace(find, replacement))).toContain(verdict);
  });
});

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
}

/** As a literal: only there does the compiler look for fields that the type does not have. */
function declaration(object: KubernetesObject, index: number): string {
  const { apiVersion, kind } = object;
  const path = apiVersion.includes('/') ? apiVersion : `core/${apiVersion}`;
  const type = `import('${join(modules, 'kubernetes-types', path)}').${kind}`;
  return `export const object${index}: ${type} = ${JSON.stringify(object)};`;
}
