/** A process to be killed: starts the server named in its argument, says its URL and folder, and waits. */
import { provide, type StoreName } from './databases.ts';

const server = await provide(process.argv[2] as StoreName, { needsOwn: true });
if (server.kind === 'skipped') throw new Error(server.reason);
process.stdout.write(`${server.url} ${server.control?.folder}\n`);
process.stdin.resume();
