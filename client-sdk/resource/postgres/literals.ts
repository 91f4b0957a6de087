/**
 * Values as literals, for texts of several statements, which take no parameters. They mean the same
 * whatever the session is set to: it may have switched the meaning of backslashes, or have an
 * encoding in which a part of a letter and a quote together are one letter.
 */

/** Of printable ASCII without a quote or a backslash: reads the same everywhere. */
const plain = /^[\x20-\x26\x28-\x5b\x5d-\x7e]*$/;

/** A text. With a NUL in it, which PostgreSQL has no text for, PostgreSQL refuses it. */
export function textLiteral(text: string): string {
  if (plain.test(text)) return `'${text}'`;
  const hex = Buffer.from(text).toString('hex');
  return `pg_catalog.convert_from(pg_catalog.decode('${hex}', 'hex'), 'UTF8')`;
}

/** A whole number; throws for anything else. */
export function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new Error(`${value} is not a whole number`);
  return String(value);
}
