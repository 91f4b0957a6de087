/**
 * The one error class of the server: what an operator is told when something cannot start or go on.
 * Expected outcomes inside the program are values, not failures.
 */
import { type ErrorCode, errorTable } from '../../client-sdk/protocol/index.ts';

/**
 * A refusal for people: the code gives title and remedy, the detail says what exactly is wrong.
 * The detail never contains a password, a payload or a stack trace.
 */
export class Failure extends Error {
  readonly code: ErrorCode;
  readonly detail: string;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${errorTable[code].title} ${detail}`, options);
    this.name = 'Failure';
    this.code = code;
    this.detail = detail;
  }
}
