/** The version of this server, as `settle --version` and /openapi.json show it. */

/** Equal to the version in server/package.json; a test holds them together. */
export const version = '0.1.0';
