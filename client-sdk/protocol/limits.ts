/** Every limit of the protocol, with its reason. Each is tested at the limit and one past it. */
export const limits = {
  /** Request body or frame; larger ones belong in the participant's own database. */
  bodyBytesMax: 1024 * 1024,
  /** One branch payload, saga input or step result: it is kept in memory while the transaction is open. */
  payloadBytesMax: 64 * 1024,
  /** Branches of a transaction, steps of a saga. */
  branchesMax: 256,
  /** Grammar of a gid: safe in URLs, headers, file names and SQL tools. */
  gidPattern: '^[A-Za-z0-9._-]{1,64}$',
  /** Gids that begin so are the coordinator's own (its audit is kept under them): refused for all else. */
  gidPrefixReserved: 'settle.',
  /** Service, method, saga and step names. */
  namePattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$',
  /** A callback address without the operation at its end. */
  urlLengthMax: 2_048,
  /** Nesting of any JSON value we take in; deeper ones are attacks or accidents. */
  jsonDepthMax: 32,
  /** `cause.detail`, errors of participants: cut, never refused. */
  detailLengthMax: 512,
  /** Labels of a transaction, for search. */
  labelsMax: 16,
  labelLengthMax: 128,
  /** Rows that one local transaction of a resource may change: their images are kept in memory. */
  undoRowsMax: 4_096,
  /** A text of SQL under automatic undo: reading and completing one of this length takes seconds. */
  sqlLengthMax: 1_000_000,
  /** Key of a row, as undo rows are found by it, in UTF-8. */
  rowKeyBytesMax: 512,
  /** Rows that one request resolves by name: what becomes of the others is said once for all. */
  resolvedRowsMax: 256,
  /** The same rows as JSON: they go to a participant in one message. */
  resolutionBytesMax: 256 * 1024,
  /** Reason that an operator gives for a change. */
  reasonLengthMax: 512,
  /** Transactions that one operation of an operator may name. */
  operationGidsMax: 1_000,
  /** Waits, blockers and connections in one report of who waits for whom: a deadlock has a few. */
  waitsMax: 64,
  /** A deadline further away than this is a mistake: 30 days. */
  timeoutMsMax: 30 * 24 * 3600 * 1000,
  timeoutMsMin: 10,
  /** Forward attempts of a saga step. */
  attemptsMax: 1_000,
  /** Messages in one channel frame: more make the two sides take turns instead of overlapping. */
  frameMessagesMax: 64,
  /** Transactions in one page of a list. */
  pageSizeMax: 500,
} as const;

const gidExpression = new RegExp(limits.gidPattern);
const nameExpression = new RegExp(limits.namePattern);

/** True when the text may be a gid. */
export function isGid(text: string): boolean {
  return gidExpression.test(text);
}

/** What is wrong with a gid that a transaction cannot have, and what to do; null when it may. */
export function reservedGidFault(gid: string): string | null {
  const { gidPrefixReserved: prefix } = limits;
  if (!gid.startsWith(prefix)) return null;
  return `gid: those that begin with "${prefix}" are the coordinator's own; take one without it`;
}

/** True when the text may name a service, a method, a saga, or a step. */
export function isName(text: string): boolean {
  return nameExpression.test(text);
}
