/**
 * Which log a URL names. A URL may hold a password, so no text made here ever repeats more of it
 * than scheme, host, port and database.
 */
import { Failure } from '../runtime/failure.ts';

/** A log by its kind. For the servers, `url` is what their driver takes, `name` may be shown. */
export type LogTarget =
  | { readonly kind: 'memory'; readonly name: string }
  | { readonly kind: 'sqlite'; readonly path: string; readonly name: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly name: string }
  | { readonly kind: 'mysql'; readonly url: string; readonly name: string };

const forms =
  'It takes memory:, sqlite:/path/to/file.db, a plain path, ' +
  'postgres://user@host/database, or mysql://user@host/database';

/** Parses `--log`. Throws Failure INVALID_CONFIG, without repeating what may be a secret. */
export function parseLogUrl(text: string): LogTarget {
  // One letter before the colon is a drive, not a scheme.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return sqliteTarget(text);
    case 'memory':
      return { kind: 'memory', name: 'memory:' };
    case 'sqlite':
      return sqliteTarget(text.slice('sqlite:'.length).replace(/^\/\//, ''));
    case 'postgres':
    case 'postgresql':
      return { kind: 'postgres', ...serverTarget(text, 'postgres') };
    case 'mysql':
    case 'mariadb':
      return { kind: 'mysql', ...serverTarget(text, 'mysql') };
    default:
      throw new Failure('INVALID_CONFIG', `The scheme of the log's URL is not known. ${forms}.`);
  }
}

function sqliteTarget(path: string): LogTarget {
  const isFile = path !== '' && !path.endsWith('/') && !path.includes('\0');
  if (!isFile) throw new Failure('INVALID_CONFIG', `The log's URL names no file. ${forms}.`);
  return { kind: 'sqlite', path, name: `sqlite:${path}` };
}

function serverTarget(text: string, scheme: 'postgres' | 'mysql') {
  const rest = text.slice(text.indexOf(':'));
  if (!URL.canParse(text) || !rest.startsWith('://')) {
    throw new Failure('INVALID_CONFIG', `The log's URL cannot be read. ${forms}.`);
  }
  const url = new URL(text);
  if (url.pathname.length < 2) {
    throw new Failure('INVALID_CONFIG', `The log's URL names no database. ${forms}.`);
  }
  return { url: `${scheme}${rest}`, name: `${scheme}://${url.host}${url.pathname}` };
}
