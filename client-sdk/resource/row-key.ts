/**
 * The text that a data row is locked by. Invariants: two spellings of one key give one text, so
 * that they meet in the same lock; two keys never give the same, so that no row is taken for
 * another.
 */
import { SettleError } from '../errors.ts';
import { limits } from '../protocol/index.ts';
import type { KeyColumn, TableFacts } from './facts.ts';
import type { Image } from './image.ts';
import { unsupported } from './refusal.ts';

/**
 * A JSON array of the key's canonical texts, such as `["1","a\"b"]`. Throws LIMIT_EXCEEDED past 512
 * bytes of UTF-8, AT_UNSUPPORTED_SQL for a key that is compared without case and is not ASCII, and
 * a plain Error when the image has no value for a column of the key.
 */
export function rowKey(facts: Pick<TableFacts, 'id' | 'key'>, image: Image): string {
  const texts = facts.key.map((column) => {
    const name = column.form === 'weight' ? weightOf(column.name) : column.name;
    const value = Object.hasOwn(image, name) ? image[name] : null;
    if (value === null || value === undefined) {
      throw new Error(`an image of ${facts.id} has no ${name}, which is in its key`);
    }
    return canonical(column.form, value);
  });
  if (texts.length === 0) throw new Error(`${facts.id} has no key`);
  const key = JSON.stringify(texts);
  const bytes = Buffer.byteLength(key);
  if (bytes > limits.rowKeyBytesMax) {
    const most = `at most ${limits.rowKeyBytesMax}`;
    throw new SettleError('LIMIT_EXCEEDED', `a key of ${facts.id} takes ${bytes} bytes, ${most}`);
  }
  return key;
}

/**
 * Where an image keeps the weight of a key column (form `weight`). No column has such a name: names
 * that end with a space are refused by MySQL, which is where weights come from.
 */
export function weightOf(column: string): string {
  return `weight of ${column} `;
}

/** Whether it is one of {@link weightOf}, and not a column. */
export function isWeight(name: string): boolean {
  return name.endsWith(' ') && name.startsWith('weight of ');
}

function canonical(form: KeyColumn['form'], text: string): string {
  switch (form) {
    case 'text':
    case 'weight':
      return text;
    case 'number':
      return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
    case 'lower':
      // What is one letter in two cases is for the database to say, by its locale. Only of ASCII it
      // is known here.
      if (!isAscii.test(text)) {
        throw unsupported(
          'a key that is compared without case and is not ASCII',
          'lock it by a key of type text, or keep such keys in ASCII',
        );
      }
      return text.toLowerCase();
    default:
      return form satisfies never;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
const isAscii = /^[\x00-\x7f]*$/;
