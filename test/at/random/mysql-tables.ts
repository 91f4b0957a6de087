/**
 * Random tables for the property tests on MariaDB: shapes of keys, columns of all types, generated
 * ones, unique indexes, a foreign key, partitions. Values come from small pools, so that statements
 * meet each other's rows. Nothing here runs.
 */
import fc from 'fast-check';
import {
  columnTypes,
  type KeyShape,
  keyShapes,
  oddDates,
  touched,
  type ValueType,
  whole,
} from './mysql-values.ts';

export interface RandomColumn extends ValueType {
  readonly name: string;
  /** As SQL; null: none. */
  readonly fallback: string | null;
  /** Left out of `*` and of inserts without a list. */
  readonly isInvisible: boolean;
}

export interface RandomTable {
  /** As SQL. */
  readonly name: string;
  readonly key: readonly RandomColumn[];
  /** Neither of the key nor computed. */
  readonly columns: readonly RandomColumn[];
  /** Of the key, numbered by the database; null: none. */
  readonly numbered: string | null;
  readonly computed: readonly string[];
  readonly ddl: string;
}

/** Two tables, the second may refer to the first. */
export interface RandomPair {
  readonly parent: RandomTable;
  readonly child: RandomTable;
}

// Of __proto__ the driver itself wants nothing to do.
const oddNames = ['select', 'Größe "x"', 'hasOwnProperty', 'constructor', 'a.b', 'x`y', 'x y'];

interface Shape {
  readonly key: KeyShape;
  readonly types: readonly ValueType[];
  readonly unique: number;
  readonly uniqueWith: 'alone' | 'n' | 'prefix';
  readonly computed: 'stored' | 'virtual' | 'unique' | 'none';
  readonly isTouched: boolean;
  readonly isInvisible: boolean;
  readonly partitions: number;
}

/** `prefix` makes the tables' names unique in their database. */
export function randomPair(prefix: string): fc.Arbitrary<RandomPair> {
  const shape = fc.record<Shape>({
    key: fc.constantFrom(...keyShapes),
    types: fc.uniqueArray(fc.constantFrom(...columnTypes), { minLength: 1, maxLength: 6 }),
    unique: fc.nat(5),
    uniqueWith: fc.constantFrom('alone', 'alone', 'n', 'prefix'),
    computed: fc.constantFrom('stored', 'virtual', 'unique', 'none', 'none'),
    isTouched: fc.boolean(),
    isInvisible: fc.boolean(),
    partitions: fc.constantFrom(0, 0, 0, 3),
  });
  const to = fc.constantFrom('parent', 'self', 'none' as const);
  return fc.tuple(shape, shape, to).map(([parentShape, childShape, target]) => {
    // Partitions and foreign keys exclude each other.
    const isReferred = target === 'parent';
    const parent = table(
      `${prefix} p`,
      isReferred ? unpartitioned(parentShape) : parentShape,
      null,
    );
    const child = target === 'none' ? childShape : unpartitioned(childShape);
    return { parent, child: table(`${prefix} c`, child, reference(target, parent)) };
  });
}

function unpartitioned(shape: Shape): Shape {
  return { ...shape, partitions: 0 };
}

interface Reference {
  readonly to: 'parent' | 'self';
  readonly parent: RandomTable;
}

function reference(to: 'parent' | 'self' | 'none', parent: RandomTable): Reference | null {
  return to === 'none' ? null : { to, parent };
}

function table(name: string, shape: Shape, to: Reference | null): RandomTable {
  const key = shape.key.types.map((type, index) =>
    column(index === 0 ? 'id' : `Key \`${index}`, type, {
      fallback: shape.key.numbered === index ? 'default' : null,
    }),
  );
  const plain = shape.types.map((type, index) => {
    const fallback = index === 1 ? (type.values[0]?.sql ?? null) : null;
    const isInvisible = index === 2 && shape.isInvisible;
    const values = type.type.startsWith('date') ? [...type.values, ...oddDates] : type.values;
    return { ...column(oddNames[index] ?? `c${index}`, type, { fallback }), values, isInvisible };
  });
  const target = to === null ? [] : to.to === 'self' ? key : to.parent.key;
  const referring = target.map((one, index) => column(`ref${index}`, one, {}));
  const columns = [
    column('n', whole, { fallback: '1' }),
    ...plain,
    ...(shape.isTouched ? [column('touched', touched, { fallback: now })] : []),
    ...referring,
  ];
  const numbered =
    shape.key.numbered === undefined ? null : (key[shape.key.numbered]?.name ?? null);
  const computed = shape.computed === 'none' ? [] : ['computed'];
  const described = { name: quoted(name), key, columns, numbered, computed };
  const targetName = to === null || to.to === 'self' ? quoted(name) : to.parent.name;
  const ddl = ddlOf(described, { shape, plain, referring, target, targetName });
  return { ...described, ddl };
}

const now = 'current_timestamp(6)';

function column(
  name: string,
  type: ValueType,
  { fallback = null }: { readonly fallback?: string | null },
): RandomColumn {
  return { ...type, name, fallback, isInvisible: false };
}

interface DdlParts {
  readonly shape: Shape;
  readonly plain: readonly RandomColumn[];
  readonly referring: readonly RandomColumn[];
  readonly target: readonly RandomColumn[];
  readonly targetName: string;
}

function ddlOf(
  { name, key, columns, numbered }: Omit<RandomTable, 'ddl'>,
  { shape, plain, referring, target, targetName }: DdlParts,
): string {
  const lines = [
    ...key.map((one) => {
      const how = one.name === numbered ? 'auto_increment' : '';
      return `${quoted(one.name)} ${one.type} not null ${how}`;
    }),
    ...columns.map(lineOf),
    `primary key (${names(key)})`,
  ];
  if (numbered !== null && key[0]?.name !== numbered) lines.push(`key (${quoted(numbered)})`);
  if (shape.computed !== 'none') {
    const kind = shape.computed === 'virtual' ? 'virtual' : 'stored';
    lines.push(`computed bigint as (n * 2) ${kind}`);
  }
  const partitions = plain.some(({ isCompared }) => !isCompared) ? 0 : shape.partitions;
  // Partitions hold no geometry. A unique index of a table in partitions has all columns of the key.
  if (partitions === 0) {
    if (shape.computed === 'unique') lines.push('unique key by_computed (computed)');
    lines.push(...uniqueIndex(shape, plain));
  }
  if (referring.length > 0) {
    lines.push(`foreign key (${names(referring)}) references ${targetName} (${names(target)})`);
  }
  const parts = partitions > 0 ? `partition by key () partitions ${partitions}` : '';
  const options = 'engine = innodb default character set utf8mb4 collate utf8mb4_general_ci';
  return `create table ${name} (${lines.join(', ')}) ${options} ${parts}`;
}

function lineOf({ name, type, fallback, isInvisible }: RandomColumn): string {
  const isTouched = fallback === now;
  const on = isTouched ? `not null default ${now} on update ${now}` : `default ${fallback}`;
  const how = fallback === null ? '' : on;
  return `${quoted(name)} ${type} ${how} ${isInvisible ? 'invisible' : ''}`;
}

function uniqueIndex({ unique, uniqueWith }: Shape, plain: readonly RandomColumn[]): string[] {
  const fitting = plain.filter(({ isIndexed, type }) =>
    uniqueWith === 'prefix' ? /^(var)?(char|binary)\(|text|blob/.test(type) : isIndexed,
  );
  const first = fitting[unique];
  if (first === undefined) return [];
  const own = `${quoted(first.name)}${uniqueWith === 'prefix' ? '(2)' : ''}`;
  return [`unique key by_value (${own}${uniqueWith === 'n' ? ', n' : ''})`];
}

/** Their names, quoted, with commas. */
export function names(columns: readonly RandomColumn[]): string {
  return columns.map(({ name }) => quoted(name)).join(', ');
}

/** An identifier. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
