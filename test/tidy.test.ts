/**
 * The house rules that a machine can see: who may import whom, sizes, words. A rule that bites is
 * either obeyed or changed here, in the open, with its reason.
 */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { type AnyNode, parse } from 'acorn';
import { parseAst } from 'vite';
import { describe, expect, test } from 'vitest';
import { sourceFiles } from './support/source-files.ts';

const root = join(import.meta.dirname, '..');

interface Source {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

const sources: readonly Source[] = sourceFiles(root).map((path) => {
  const text = readFileSync(join(root, path), 'utf8');
  return { path, text, lines: text.split('\n') };
});
const isTest = (path: string) => path.startsWith('test/');
const product = sources.filter((source) => !isTest(source.path));

/** Folder (longest prefix wins) → what its files may import. Paths are prefixes; bare words are packages. */
const mayImport: readonly (readonly [string, readonly string[]])[] = [
  ['client-sdk/protocol/', ['client-sdk/protocol/']],
  ['client-sdk/', ['client-sdk/', 'node:', 'ws', 'kysely', 'fastify', 'undici']],
  // The one file of the SDK that knows OpenTelemetry.
  ['client-sdk/opentelemetry.ts', ['client-sdk/protocol/', '@opentelemetry/api']],
  [
    'client-sdk/resource/postgres/',
    ['client-sdk/', 'node:', 'libpg-query', 'pgsql-deparser', '@pgsql/types'],
  ],
  ['client-sdk/resource/mysql/', ['client-sdk/', 'node:', '@guanmingchiu/sqlparser-ts']],
  ['server/core/', ['server/core/', 'client-sdk/protocol/']],
  [
    'server/engine/',
    [
      'server/engine/',
      'server/core/',
      'server/runtime/',
      'server/log/log.ts',
      'server/dispatch/transport.ts',
      'client-sdk/protocol/',
    ],
  ],
  [
    'server/log/',
    [
      'server/log/',
      'server/core/',
      'server/runtime/',
      'migrations/',
      'client-sdk/protocol/',
      'node:',
      'pg',
      'mysql2',
      'kysely',
    ],
  ],
  [
    'server/dispatch/',
    ['server/dispatch/', 'server/runtime/', 'client-sdk/protocol/', 'node:', 'undici'],
  ],
  [
    'server/desk/',
    [
      'server/desk/',
      'server/engine/coordinator.ts',
      // The timeline puts records into words.
      'server/core/record.ts',
      'server/log/log.ts',
      'server/runtime/',
      'client-sdk/protocol/',
      'node:',
    ],
  ],
  [
    'server/api/',
    [
      'server/api/',
      'server/engine/coordinator.ts',
      'server/desk/desk.ts',
      'server/desk/lookout.ts',
      'server/observe/',
      'server/runtime/',
      'server/version.ts',
      'client-sdk/protocol/',
      'node:',
      'fastify',
      'ajv',
      'ws',
      'pino',
    ],
  ],
  ['server/console/', ['server/console/', 'client-sdk/protocol/', 'preact']],
  ['server/runtime/', ['server/runtime/', 'client-sdk/protocol/', 'node:']],
  [
    'server/observe/',
    [
      'server/observe/',
      'server/runtime/',
      'server/engine/coordinator.ts',
      'client-sdk/protocol/',
      'node:',
      'pino',
    ],
  ],
  [
    'migrations/',
    ['migrations/', 'server/runtime/', 'client-sdk/protocol/', 'node:', 'pg', 'mysql2'],
  ],
];

/** Static, type-only and dynamic imports with a literal name; the word `'from'` itself is none. */
function importsOf(source: Source): readonly string[] {
  const pattern = /(?:(?<!')\bfrom\s*|\bimport\s*\(\s*|^import\s+)'([^']+)'/gm;
  return [...source.text.matchAll(pattern)]
    .map((match) => match[1] ?? '')
    .map((name) => {
      if (!name.startsWith('.')) return name;
      return relative(root, join(root, dirname(source.path), name));
    });
}

describe('who may import whom', () => {
  test.each(mayImport.map(([folder]) => folder))('%s', (folder) => {
    const wrong: string[] = [];
    for (const source of product) {
      const rule = mayImport
        .filter(([prefix]) => source.path.startsWith(prefix))
        .sort((a, b) => b[0].length - a[0].length)[0];
      if (rule?.[0] !== folder) continue;
      for (const name of importsOf(source)) {
        const isAllowed = rule[1].some((allowed) => {
          if (/[/:]$|\.ts$/.test(allowed)) return name.startsWith(allowed);
          return name === allowed || name.startsWith(`${allowed}/`);
        });
        if (!isAllowed) wrong.push(`${source.path} imports ${name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('stores and transports do not know each other; the index is the registry', () => {
    const stores = /^server\/log\/(memory|sqlite|postgres|mysql)-/;
    const transports = /^server\/dispatch\/(channel|http)-/;
    const wrong = product.flatMap((source) =>
      [stores, transports].flatMap((family) => {
        const own = family.exec(source.path)?.[1];
        if (own === undefined) return [];
        return importsOf(source)
          .filter((name) => (family.exec(name)?.[1] ?? own) !== own)
          .map((name) => `${source.path} imports ${name}`);
      }),
    );
    expect(wrong).toEqual([]);
  });
});

describe('sizes', () => {
  test('files: at most 500 lines, tests 800', () => {
    const big = sources
      .filter((source) => source.lines.length - 1 > (isTest(source.path) ? 800 : 500))
      .map((source) => `${source.path}: ${source.lines.length - 1}`);
    expect(big).toEqual([]);
  });

  test('functions: at most 70 lines of their own (nested functions count for themselves)', () => {
    expect(product.flatMap((source) => longFunctions(source, 70))).toEqual([]);
  });

  test('parameters: at most 4, then an options object', () => {
    expect(product.flatMap((source) => crowdedFunctions(source, 4))).toEqual([]);
  });

  test('columns: at most 110 (code: 100, the formatter sees to it), unless a string cannot be broken', () => {
    const long = sources.flatMap((source) =>
      source.lines
        .map((line, index) => ({ line, at: `${source.path}:${index + 1}` }))
        .filter(({ line }) => line.length > 110 && !/['"`]|https?:/.test(line))
        .map(({ at }) => at),
    );
    expect(long).toEqual([]);
  });
});

const banned: readonly (readonly [string, RegExp, (path: string) => boolean])[] = [
  ['unfinished work', /\b(TODO|FIXME|XXX|HACK)\b/, () => true],
  ['skipped or focused tests', /\.(only|todo)\(/, isTest],
  ['type checks switched off', /@ts-(ignore|nocheck)/, () => true],
  ['inheritance beyond Error', /\bclass\s+\w+(<[^>]*>)?\s+extends\s+(?!Error\b)/, () => true],
  ['default exports', /^export default/m, (path) => path !== 'vitest.config.ts'],
  [
    'time, randomness and timers outside of runtime/',
    /\b(Date\.now|new Date\(|Math\.random|setTimeout|setInterval|setImmediate|process\.)/,
    (path) => /^server\/(core|engine)\//.test(path),
  ],
  ['promises in the core', /\b(async|await|Promise)\b/, (path) => path.startsWith('server/core/')],
  ['global fetch on hot paths', /\bfetch\(/, (path) => /^server\/(engine|dispatch)\//.test(path)],
  [
    'talk on stdout outside of the command line',
    /\bconsole\./,
    (path) => !isTest(path) && !/^(server\/(cli|demo)|examples|\.ci)\//.test(path),
  ],
];

describe('words', () => {
  test.each(banned)('%s', (_name, pattern, appliesTo) => {
    const hits = sources
      .filter((source) => appliesTo(source.path) && source.path !== 'test/tidy.test.ts')
      .filter((source) => pattern.test(withoutComments(source.text, pattern)))
      .map((source) => source.path);
    expect(hits).toEqual([]);
  });

  test('no file is named after nothing in particular', () => {
    const vague = /(^|[/-])(data|info|manager|helpers?|utils?|misc|common)\.ts$/;
    expect(sources.map((source) => source.path).filter((path) => vague.test(path))).toEqual([]);
  });

  test('every file opens with what it is for', () => {
    const mute = sources
      .filter((source) => !/^(#![^\n]*\n)?\s*(\/\*\*|\/\/)/.test(afterImports(source.text)))
      .map((source) => source.path);
    expect(mute).toEqual([]);
  });

  test('every exported symbol of the packages has a docstring', () => {
    const folders = /^(client-sdk|server|migrations)\//;
    const bare = product
      .filter((source) => folders.test(source.path))
      .flatMap((source) => bareExports(source));
    expect(bare).toEqual([]);
  });
});

/** Files may open with their imports, as tests do that tell their story in the test names. */
function afterImports(text: string): string {
  return /^import /.test(text) ? '/** imports */' : text;
}

function bareExports(source: Source): readonly string[] {
  return source.lines.flatMap((line, index) => {
    const symbol = /^export (?:async )?(?:function|class|interface|type|const) (\w+)/.exec(line);
    if (symbol === null) return [];
    const above = source.lines[index - 1]?.trim() ?? '';
    // An overload is documented by the first of its kind.
    const isOverload = above.startsWith(`export function ${symbol[1]}`);
    return above.endsWith('*/') || isOverload ? [] : [`${source.path}:${index + 1} ${symbol[1]}`];
  });
}

/** Comments may name what code may not use; only the words of unfinished work count there, too. */
function withoutComments(text: string, pattern: RegExp): string {
  if (pattern.source.includes('TODO')) return text;
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

interface FunctionNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly params: readonly unknown[];
}

/** All functions of a file, with the functions directly inside each. */
function functionsOf(source: Source): readonly { node: FunctionNode; inner: FunctionNode[] }[] {
  const tree = treeOf(source);
  const found: { node: FunctionNode; inner: FunctionNode[] }[] = [];
  const visit = (node: unknown, owner: FunctionNode[] | null): void => {
    if (Array.isArray(node)) {
      for (const item of node) visit(item, owner);
      return;
    }
    if (typeof node !== 'object' || node === null || !('type' in node)) return;
    let inside = owner;
    if (/Function/.test(String((node as AnyNode).type))) {
      const entry = { node: node as unknown as FunctionNode, inner: [] };
      found.push(entry);
      owner?.push(entry.node);
      inside = entry.inner;
    }
    for (const value of Object.values(node)) visit(value, inside);
  };
  visit(tree, null);
  return found;
}

/** Node strips types where they stand; what has JSX is read by the console's own builder. */
function treeOf({ path, text }: Source): unknown {
  if (path.endsWith('.tsx')) return parseAst(text, { lang: 'tsx' });
  const javascript = stripTypeScriptTypes(text, { mode: 'strip' });
  return parse(javascript, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true });
}

function linesOf(source: Source, node: FunctionNode): number {
  return source.text.slice(node.start, node.end).split('\n').length;
}

function longFunctions(source: Source, max: number): readonly string[] {
  return functionsOf(source).flatMap(({ node, inner }) => {
    const nested = inner.reduce((sum, each) => sum + linesOf(source, each) - 1, 0);
    const own = linesOf(source, node) - nested;
    return own > max ? [`${at(source, node)} has ${own} lines`] : [];
  });
}

function crowdedFunctions(source: Source, max: number): readonly string[] {
  return functionsOf(source)
    .filter(({ node }) => node.params.length > max)
    .map(({ node }) => `${at(source, node)} has ${node.params.length} parameters`);
}

function at(source: Source, node: FunctionNode): string {
  return `${source.path}:${source.text.slice(0, node.start).split('\n').length}`;
}
