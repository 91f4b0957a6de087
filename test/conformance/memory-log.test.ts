/** The memory log under the common suite. */
import { createMemoryStore, openMemoryLog } from '../../server/log/memory-log.ts';
import { logConformance } from './log.ts';

logConformance('memory', {
  isDurable: false,
  async open() {
    const store = createMemoryStore();
    const log = openMemoryLog(store);
    return { log, another: async () => openMemoryLog(store), close: () => log.close() };
  },
});
