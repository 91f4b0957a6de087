/**
 * Loaded before each child process of the demo (`node --import`): when the demo is gone, however
 * it died, its children must not go on alone. The operating system closes the IPC channel then.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// The channel must not keep a child alive that has come to its end by itself.
process.channel?.unref();
