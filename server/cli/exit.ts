/**
 * How a command ends: exit codes, and the one line on stderr that says why. Guards the invariant
 * that no stack trace and no secret reaches the terminal.
 */
import { type ErrorCode, errorTable, isErrorCode } from '../../client-sdk/protocol/index.ts';

/** Exit codes; docs/reference/cli.md lists them and a test compares. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  timeout: 5,
  unreachable: 6,
  denied: 7,
  found: 10,
  fenced: 75,
} as const;

/**
 * The code of any error that carries one of the table (the server's Failure, the SDK's SettleError),
 * else null. It works by shape, so that parts which must not import each other agree on a code.
 */
export function codeOf(error: unknown): ErrorCode | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  const { code } = error;
  return typeof code === 'string' && isErrorCode(code) ? code : null;
}

/** Ends the command with this code once it is through; what it printed stands. */
export function endWith(name: keyof typeof exitCodes): void {
  process.exitCode = exitCodes[name];
}

/** Which exit code a failure with this code ends a command with. */
export function exitCodeOf(code: ErrorCode): number {
  switch (code) {
    case 'INVALID_CONFIG':
    case 'INVALID_REQUEST':
    case 'INVALID_JSON':
    case 'INVALID_SAGA':
    case 'LIMIT_EXCEEDED':
      return exitCodes.usage;
    case 'NOT_FOUND':
    case 'METHOD_NOT_OFFERED':
      return exitCodes.notFound;
    case 'UNKNOWN':
    case 'ONGOING':
      return exitCodes.timeout;
    case 'UNREACHABLE':
    case 'OVERLOADED':
    case 'LOG_UNAVAILABLE':
    case 'STOPPING':
      return exitCodes.unreachable;
    case 'UNAUTHORIZED':
    case 'FORBIDDEN':
    case 'TARGET_NOT_ALLOWED':
      return exitCodes.denied;
    case 'FENCED':
      return exitCodes.fenced;
    default:
      return errorTable[code].status === 409 ? exitCodes.conflict : exitCodes.failure;
  }
}

/**
 * The line for people: `settle: CODE: title detail remedy`. One line, whatever the error holds. Of a
 * request that does not fit the detail alone: its title and remedy speak of bodies over HTTP, and who
 * sits at a terminal has written an option.
 */
export function failureLine(error: unknown): string {
  const code = codeOf(error) ?? 'INTERNAL';
  const { title, remedy } = errorTable[code];
  const detail = sentence(detailOf(error));
  const isUsage = code === 'INVALID_REQUEST' && detail !== '';
  const text = isUsage ? detail : `${title} ${detail}${remedy}`;
  return `settle: ${code}: ${text}`.replaceAll(/\s+/g, ' ').trim();
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'detail' in error && typeof error.detail === 'string' ? error.detail : error.message;
}

/** Details are written to follow a colon; here one stands alone. A name keeps its first letter. */
function sentence(detail: string): string {
  if (detail === '') return '';
  const begun = detail.replace(
    /^[a-z]+ [a-z]/,
    (start) => start[0]?.toUpperCase() + start.slice(1),
  );
  return /[.!?]$/.test(begun) ? `${begun} ` : `${begun}. `;
}
