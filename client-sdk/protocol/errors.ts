/**
 * One table of error codes for the API, the SDK and the command line. `docs/reference/errors.md`
 * has a line for each; a test keeps the two equal.
 */
export interface ErrorEntry {
  /** HTTP status of the answer. */
  readonly status: number;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
  /** What happened, in one sentence. */
  readonly title: string;
  /** What the reader can do about it, in one sentence. */
  readonly remedy: string;
}

/** All codes. A code is never renamed or given another meaning; new ones are added. */
export const errorTable = {
  INVALID_REQUEST: {
    status: 400,
    retryable: false,
    title: 'The request does not have the expected shape.',
    remedy: 'Compare the request with /openapi.json; unknown fields are refused too.',
  },
  INVALID_JSON: {
    status: 400,
    retryable: false,
    title: 'The body is not valid JSON, or is nested too deeply.',
    remedy: 'Send UTF-8 JSON with content-type application/json, at most 32 levels deep.',
  },
  INVALID_SAGA: {
    status: 422,
    retryable: false,
    title: 'The steps of the saga do not form a valid graph.',
    remedy:
      'Give steps unique names, let `after` name steps defined earlier, and use at most one pivot that every other step comes before or after.',
  },
  LIMIT_EXCEEDED: {
    status: 413,
    retryable: false,
    title: 'A limit on size or number was exceeded; nothing was stored.',
    remedy: 'See docs/reference/limits.md; keep large data in your own database and pass a key.',
  },
  NOT_FOUND: {
    status: 404,
    retryable: false,
    title: 'There is no global transaction with this gid, or no such address.',
    remedy: 'Check the gid, and that this coordinator uses the log in which it was begun.',
  },
  CONFLICT: {
    status: 409,
    retryable: false,
    title: 'The same id was used before with other content.',
    remedy:
      'Use a new gid (or request id) for new content; repeat the first content unchanged to ask again.',
  },
  WRONG_MODE: {
    status: 409,
    retryable: false,
    title: 'The request does not fit the mode of this global transaction.',
    remedy:
      'Register and commit belong to transactions; a saga commits by itself when its steps are done.',
  },
  ALREADY_COMMITTED: {
    status: 409,
    retryable: false,
    title: 'The decision was commit, and a decision never changes.',
    remedy: 'Read the transaction; start a new one to reverse its effect.',
  },
  ALREADY_ROLLED_BACK: {
    status: 409,
    retryable: false,
    title: 'The decision was rollback, and a decision never changes.',
    remedy:
      'Read the cause; when it is the deadline, give a longer timeout, then start a new transaction.',
  },
  PIVOT_STARTED: {
    status: 409,
    retryable: false,
    title: 'The pivot step was asked already; the saga goes forward unless the pivot refuses.',
    remedy: 'Wait for the saga to finish.',
  },
  TARGET_NOT_ALLOWED: {
    status: 422,
    retryable: false,
    title: 'The origin of a callback URL is not in the allow-list of the coordinator.',
    remedy:
      'Start the server with --allow-callback ORIGIN, or use a service that connects by the channel.',
  },
  REFUSED: {
    status: 409,
    retryable: false,
    title: 'The participant refused the operation for good.',
    remedy: 'Read the detail: it is the reason that the business method gave.',
  },
  ROLLED_BACK: {
    status: 409,
    retryable: false,
    title: 'The global transaction was rolled back.',
    remedy:
      'Read the cause; nothing of it remains in any database, so it may be tried again with a new gid.',
  },
  ONGOING: {
    status: 425,
    retryable: true,
    title: 'The operation is still going on.',
    remedy: 'Ask again a little later.',
  },
  UNKNOWN: {
    status: 504,
    retryable: true,
    title: 'The outcome is not known (yet): it may still happen.',
    remedy:
      'Repeat the same request with the same gid, or read the transaction; never take it for failed.',
  },
  OVERLOADED: {
    status: 503,
    retryable: true,
    title: 'The coordinator has as much open work as it may hold; nothing was stored.',
    remedy: 'Wait for the time in Retry-After, then repeat the same request.',
  },
  LOG_UNAVAILABLE: {
    status: 503,
    retryable: true,
    title: 'The log has not answered for a while; new work is refused, nothing was stored.',
    remedy: 'Check the database of the log; work in flight goes on by itself once it answers.',
  },
  STOPPING: {
    status: 503,
    retryable: true,
    title: 'The coordinator is stopping and takes no new work.',
    remedy:
      'Repeat the same request; another coordinator, or this one after its restart, will take it.',
  },
  FENCED: {
    status: 503,
    retryable: true,
    title: 'Another coordinator has taken over the log; this one stops.',
    remedy: 'Run one coordinator per log, or point clients to the one that is alive.',
  },
  UNAUTHORIZED: {
    status: 401,
    retryable: false,
    title: 'The request carries no valid credentials.',
    remedy: 'Send the token that the operator gave you as `authorization: Bearer …`.',
  },
  FORBIDDEN: {
    status: 403,
    retryable: false,
    title: 'Who has this token may not do that.',
    remedy:
      'Use a token whose role may: a viewer looks, an operator changes, a service runs transactions.',
  },
  UNREACHABLE: {
    status: 503,
    retryable: true,
    title: 'The coordinator could not be reached.',
    remedy: 'Check the url and that `settle server` runs there.',
  },
  NO_TRANSACTION: {
    status: 400,
    retryable: false,
    title: 'A branch was called outside of a global transaction.',
    remedy:
      'Call it inside `settle.transaction(…)`, or carry the context over with the settle-gid header.',
  },
  METHOD_NOT_OFFERED: {
    status: 404,
    retryable: true,
    title: 'No connected instance of the service offers this method.',
    remedy:
      'Start the service, or correct the service and method names; the call is retried meanwhile.',
  },
  BARRIER_BLOCKED: {
    status: 409,
    retryable: false,
    title: 'The operation came after its own cancel or undo and was refused.',
    remedy:
      'Nothing to do: the transaction is rolling back and this late call must not take effect.',
  },
  AT_UNSUPPORTED_SQL: {
    status: 422,
    retryable: false,
    title: 'The statement cannot be undone for certain, so it is refused.',
    remedy: 'The detail says what it is about it, and how to write it instead.',
  },
  LOCK_CONFLICT: {
    status: 409,
    retryable: true,
    title:
      'Another global transaction has changed the same rows and is not decided, or rolls back.',
    remedy: 'Run the whole transaction again, with a new gid; the detail names the holder.',
  },
  AT_DIRTY_ROW: {
    status: 409,
    retryable: true,
    title:
      'A row that is to be restored was changed by somebody else meanwhile; it is left as it is.',
    remedy: 'Compare the three images of the row, then restore, keep or merge it.',
  },
  ROW_CHANGED: {
    status: 409,
    retryable: false,
    title: 'A row is no longer as it was when it was looked at; nothing was written.',
    remedy: 'Look at its undo rows again, and choose again with the new `seen`.',
  },
  NOTHING_TO_RESOLVE: {
    status: 409,
    retryable: false,
    title: 'No rollback of that resource waits for rows to be resolved.',
    remedy: 'Read the transaction: rows are resolved while it rolls back and their branch is open.',
  },
  NOTHING_OWED: {
    status: 409,
    retryable: false,
    title: 'What is to be asked again, or to count as done, is not owed now.',
    remedy:
      'Read the transaction: it is not decided yet, has ended, or owes something else by now.',
  },
  INVALID_CONFIG: {
    status: 500,
    retryable: false,
    title: 'A setting has a value that cannot be used.',
    remedy:
      'The detail names the setting, where it came from and what it takes; see docs/reference/configuration.md.',
  },
  SCHEMA_NEWER: {
    status: 500,
    retryable: false,
    title: 'The schema of the log is newer than this server knows.',
    remedy: 'Run the newer server version, or point this one to another log.',
  },
  SCHEMA_MISSING: {
    status: 500,
    retryable: false,
    title: 'The schema of the log is missing or older than this server needs.',
    remedy: 'Run `settle migrate --log URL` with a role that may change the schema.',
  },
  LOG_NOT_WRITABLE: {
    status: 500,
    retryable: false,
    title: 'The log cannot be opened for writing.',
    remedy: 'Check that the directory (or database) exists and that this user may write to it.',
  },
  PORT_TAKEN: {
    status: 500,
    retryable: false,
    title: 'The address to listen on is taken.',
    remedy: 'Stop the other process or choose another one with --port.',
  },
  INTERNAL: {
    status: 500,
    retryable: true,
    title: 'A rule inside Settle was broken; the transaction is kept as it is.',
    remedy: 'Please report it with the log line that carries the same gid.',
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of the table. */
export type ErrorCode = keyof typeof errorTable;

/** True when the text is a code of the table. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorTable, text);
}
