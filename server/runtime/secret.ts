/**
 * Values that must not be printed. A secret shows itself only to who calls `reveal`; text, JSON and
 * `console.log` of it get the redacted form, so that a forgotten log line cannot leak a password.
 */
import { inspect } from 'node:util';

/** A value with a password in it. `toString()` and `toJSON()` are safe to print. */
export interface Secret {
  reveal(): string;
  toString(): string;
  toJSON(): string;
}

/** A URL whose password must not be printed: `postgres://user:***@host/db`. */
export function secretUrl(url: string): Secret {
  const shown = redactUrl(url);
  const secret = { reveal: () => url, toString: () => shown, toJSON: () => shown };
  return Object.defineProperty(secret, inspect.custom, { value: () => shown });
}

/**
 * Hides passwords in the user part and in parameters whose name has `password`, `secret` or `token`
 * in it. Works on text that is no valid URL, too: everything from the first `:` after the scheme to
 * the last `@` before the path could be a password.
 */
export function redactUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/?#@]*):.*@/i, '$1:***@')
    .replaceAll(/([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&#]*/gi, '$1***');
}
