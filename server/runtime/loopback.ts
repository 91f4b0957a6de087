/** Which hosts are this machine and nobody else's. */

/** True for names and addresses of loopback, an IPv6 address with or without its brackets. */
export function isLoopback(host: string): boolean {
  return /^(127\.|localhost$|::1$|\[::1\]$)/.test(host);
}
