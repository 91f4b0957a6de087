/** The version of this SDK, as it tells a coordinator that asks. */

/** Equal to the version in client-sdk/package.json; a test holds them together. */
export const version = '0.1.0';
