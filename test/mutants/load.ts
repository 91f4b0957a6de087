/**
 * A child of the mutants' runner: loads one file, to tell a bug from broken code. Exit code 1, and the
 * reason on stderr, when it does not load.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , path = ''] = process.argv;
await import(pathToFileURL(resolve(path)).href);
// A loaded file may have started something; it is not wanted here.
process.exit(0);
