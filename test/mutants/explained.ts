/**
 * Mutants that live, each with the reason why that is right: it changes nothing that any user could
 * see, or what would see it does not fit into a test. Everything else that lives asks for a test.
 */
export const explained: Readonly<Record<string, string>> = {
  'sqlite-synchronous-off':
    'A process that is killed loses nothing that it has handed to the kernel; only a power cut or a ' +
    'crash of the kernel would show it, and no test here can make one.',
  'mysql-found-row-not-flushed':
    'InnoDB shows a commit to others some microseconds before it is on disk; only a power cut in ' +
    'that moment would lose the row.',
};
