/**
 * Mutants that live, each with the reason why that is right: it changes nothing that any user could
 * see, or what would see it does not fit into a test. Everything else that lives asks for a test.
 */
export const explained: Readonly<Record<string, string>> = {};
