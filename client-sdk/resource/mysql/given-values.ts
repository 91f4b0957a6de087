/**
 * What a statement gives a column, as far as that is known before it runs. Guards: a value that is
 * called exact is stored as it is given, whatever the sql_mode: not rounded, cut, clipped or read as
 * something else. Pure.
 */
import { readingOf } from './image-columns.ts';
import { isWord, type Piece } from './pieces.ts';

/** What stands in a row of values. */
export type Given =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'null' }
  | { readonly kind: 'default' }
  /** An expression. */
  | { readonly kind: 'computed' };

/** `parameters`: those of the user's statement. */
export function givenIn(piece: Piece | undefined, parameters: readonly unknown[]): Given {
  if (piece === undefined) return { kind: 'default' };
  const [first, second, ...more] = piece.tokens;
  if (first === undefined || more.length > 0) return { kind: 'computed' };
  if (second !== undefined) {
    const isNumber = isWord(first, '-', '+') && second.kind === 'number';
    if (!isNumber) return { kind: 'computed' };
    return { kind: 'value', value: `${first.text === '-' ? '-' : ''}${second.text}` };
  }
  if (isWord(first, 'null')) return { kind: 'null' };
  if (isWord(first, 'default')) return { kind: 'default' };
  switch (first.kind) {
    case 'parameter': {
      const value = parameters[first.parameter] ?? null;
      return value === null ? { kind: 'null' } : { kind: 'value', value };
    }
    case 'number':
      return { kind: 'value', value: first.text };
    case 'string':
      // With a character set in front it is computed.
      if (!first.text.startsWith("'")) return { kind: 'computed' };
      return { kind: 'value', value: first.value };
    default:
      return { kind: 'computed' };
  }
}

/** The text of the value in an image of a column of this type; null: it is not exact. */
export function exactText(type: string, value: unknown): string | null {
  const reading = readingOf(type);
  switch (reading?.kind) {
    case 'number':
      return numberText(type, value);
    case 'letters':
      return typeof value === 'string' ? lettersText(type, reading, value) : null;
    case 'bytes':
      return Buffer.isBuffer(value) ? bytesText(type, value) : null;
    case 'printed':
      return typeof value === 'string' ? printedText(type, value) : null;
    default:
      return null;
  }
}

const bitsOf: Readonly<Record<string, number>> = {
  tinyint: 8,
  smallint: 16,
  mediumint: 24,
  int: 32,
  bigint: 64,
};

function numberText(type: string, value: unknown): string | null {
  const isNumeric = typeof value === 'number' || typeof value === 'bigint';
  const text = isNumeric ? String(value) : value;
  if (typeof text !== 'string') return null;
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return null;
  const bits = bitsOf[/^[a-z]+/.exec(type)?.[0] ?? ''];
  if (bits === undefined) return decimalText(type, text);
  if (!/^-?\d{1,20}$/.test(text)) return null;
  const whole = BigInt(text);
  const isUnsigned = /\bunsigned\b/.test(type);
  const least = isUnsigned ? 0n : -(2n ** BigInt(bits - 1));
  const most = 2n ** BigInt(isUnsigned ? bits : bits - 1) - 1n;
  return whole >= least && whole <= most ? String(whole) : null;
}

function decimalText(type: string, text: string): string | null {
  const [, digits, scale] = /^decimal\((\d+),(\d+)\)/.exec(type) ?? [];
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (digits === undefined || scale === undefined || whole === undefined) return null;
  if (sign === '-' && /\bunsigned\b/.test(type)) return null;
  const isIn = whole.replace(/^0+/, '').length <= Number(digits) - Number(scale);
  return isIn && fraction.length <= Number(scale) ? text : null;
}

/** Character sets of which the bytes of a text are known here, and the texts that they have. */
const encodings: Readonly<Record<string, readonly [BufferEncoding, RegExp]>> = {
  utf8mb4: ['utf8', /^[^\ud800-\udfff]*$/u],
  utf8mb3: ['utf8', /^[^\ud800-\udfff]*$/],
  utf8: ['utf8', /^[^\ud800-\udfff]*$/],
  // What this is called here differs from ISO 8859-1 in what is left out.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
  latin1: ['latin1', /^[\x00-\x7f\xa0-\xff]*$/],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
  ascii: ['latin1', /^[\x00-\x7f]*$/],
};

function lettersText(
  type: string,
  { charset, isPadded }: { readonly charset: string; readonly isPadded: boolean },
  value: string,
): string | null {
  const length = /^(?:var)?char\((\d+)\)/.exec(type)?.[1];
  const [encoding, texts] = (Object.hasOwn(encodings, charset) && encodings[charset]) || [];
  if (encoding === undefined || texts?.test(value) !== true) return null;
  if (length === undefined || [...value].length > Number(length)) return null;
  if (isPadded && value.endsWith(' ')) return null;
  return Buffer.from(value, encoding).toString('hex').toUpperCase();
}

function bytesText(type: string, value: Buffer): string | null {
  const [, variable, length] = /^(var)?binary\((\d+)\)/.exec(type) ?? [];
  if (length === undefined) return null;
  const isFilled = value.length === Number(length);
  const isIn = variable === undefined ? isFilled : value.length <= Number(length);
  return isIn ? value.toString('hex').toUpperCase() : null;
}

const printedForms: readonly (readonly [type: RegExp, text: RegExp])[] = [
  [/^date$/, /^\d{4}-\d\d-\d\d$/],
  [/^datetime$/, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/],
  [/^datetime\([1-6]\)$/, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/],
  [/^uuid$/, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i],
];

function printedText(type: string, value: string): string | null {
  const isForm = printedForms.some(([types, texts]) => types.test(type) && texts.test(value));
  const digits = /^datetime\((\d)\)$/.exec(type)?.[1] ?? '0';
  const given = /\.(\d+)$/.exec(value)?.[1] ?? '';
  return isForm && given.length <= Number(digits) ? value : null;
}
