/**
 * Values as literals that mean the same under every sql_mode and character set of the session: the
 * escaping of drivers relies on backslashes, which a session may have switched off. Own statements
 * use nothing else; values of the user's never come here. The character set is said with each text, for
 * that of the connection may be one in which MariaDB does not find its own catalogue (ucs2).
 */

/** Of printable ASCII without a quote or a backslash reads the same everywhere. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: all but them is meant.
const plain = /^[^\x00-\x1f'\\\x7f-\uffff]+$/;

/** A text. Throws nothing; any text can be said. */
export function textLiteral(text: string): string {
  if (plain.test(text)) return `_utf8mb4'${text}'`;
  return `_utf8mb4 x'${Buffer.from(text).toString('hex')}'`;
}

/** A text or NULL. */
export function nullableLiteral(text: string | null): string {
  return text === null ? 'null' : textLiteral(text);
}

/** A whole number. Throws for what is none. */
export function wholeLiteral(value: number): string {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} is not a whole number`);
  return String(value);
}
