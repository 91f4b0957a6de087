/** The one error that all adapters share: the database ended a local transaction behind our back. */

/**
 * InnoDB rolls the whole transaction back when it ends a deadlock; a handler that swallows that
 * error goes on in autocommit, and the commit "succeeds". So the row is looked for before the
 * commit. PostgreSQL and SQLite refuse such a commit themselves.
 */
export function lostRow(): Error {
  return new Error(
    'the database ended the local transaction early (a deadlock?) and the handler went on: ' +
      'do not catch database errors in a handler',
  );
}
