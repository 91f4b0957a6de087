/**
 * `settle token`: makes a token, and the entry of the file of tokens that lets it in. The token is
 * shown once and kept nowhere.
 */
import { randomBytes } from 'node:crypto';
import { type Command, Option } from 'commander';
import { isName, type Role } from '../../client-sdk/protocol/index.ts';
import { hashOf } from '../api/access.ts';
import { Failure } from '../runtime/failure.ts';
import type { Terminal } from './terminal.ts';

interface TokenOptions {
  readonly role: Role;
  readonly json?: boolean;
}

/** Adds `token`. */
export function registerToken(program: Command, terminal: () => Terminal): void {
  program
    .command('token')
    .summary('make a token for a person or a service')
    .description('Make a token, and its entry for the file that `settle server --tokens` reads.')
    .argument('<name>', 'of who gets it; the audit shows it')
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['viewer', 'operator', 'service'])
        .makeOptionMandatory(),
    )
    .option('--json', 'one JSON object with the token and the entry')
    .action((name: string, options: TokenOptions) => make(name, options, terminal()));
}

function make(name: string, { role, json }: TokenOptions, terminal: Terminal): void {
  if (!isName(name))
    throw new Failure('INVALID_REQUEST', 'the name is none: letters, digits, . _ : / -');
  const token = `settle_${randomBytes(32).toString('base64url')}`;
  const entry = { name, role, sha256: hashOf(token) };
  if (json) {
    terminal.print(JSON.stringify({ token, entry }));
    return;
  }
  terminal.say('The token, which is shown this once:');
  terminal.print(token);
  terminal.say('Its entry, for the list in the file of tokens:');
  terminal.say(JSON.stringify(entry));
}
