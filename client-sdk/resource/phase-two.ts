/**
 * What a resource is asked in phase two. Any live instance of the service that has the resource may
 * be asked, again and again. Guards: a row that somebody else has changed is never overwritten; a
 * rollback that comes before its local commit makes that commit fail.
 */
import { answerOfError } from '../participant/answer.ts';
import type { Method } from '../participant/host.ts';
import { type Call, type CallAnswer, dirtyRowError, type Gid } from '../protocol/index.ts';
import { lookAtHealth } from './health.ts';
import { inspectRows, listLocks } from './inspect.ts';
import { inTransaction, type ResourcePorts } from './own-transaction.ts';
import { resolveBranch } from './resolve.ts';
import type { DirtyRows } from './undo-store.ts';

const done: CallAnswer = { outcome: 'done', result: null };

/** The method that the resource offers: operations `commit` and `rollback`, and the questions. */
export function resourceMethod<Native>(name: string, ports: ResourcePorts<Native>): Method {
  const clearing = new Clearing(ports);
  return {
    name,
    operations: ['commit', 'rollback', 'inspect', 'resolve', 'locks', 'health'],
    async handle(call) {
      try {
        switch (call.operation) {
          case 'commit':
            await clearing.clear(call.gid);
            return done;
          case 'rollback':
            return await rollBack(ports, call);
          case 'inspect':
            return await inspectRows(ports, call);
          case 'resolve':
            return await resolveBranch(ports, call);
          case 'locks':
            return await listLocks(ports, call);
          case 'health':
            return await lookAtHealth(ports);
          default:
            // The host lets no other operation through; a business one is no rollback.
            return { outcome: 'unknown', error: `a resource has no operation ${call.operation}` };
        }
      } catch (error) {
        return answerOfError(error);
      }
    },
  };
}

async function rollBack<Native>(ports: ResourcePorts<Native>, call: Call): Promise<CallAnswer> {
  const { dialect } = ports;
  const branch = { gid: call.gid, branchId: call.branchId };
  try {
    await inTransaction(ports, async (connection) => {
      // Not committed, and now it never will be: there is nothing to take back.
      if ((await dialect.barrier.block(connection, branch)) === 'blocked') return;
      if (!(await dialect.barrier.markRolledBack(connection, branch))) return;
      const restored = await dialect.undo.restore(connection, call.gid);
      if (restored.kind === 'dirty') throw new DirtyRowError(restored);
    });
    return done;
  } catch (error) {
    if (!(error instanceof DirtyRowError)) throw error;
    return { outcome: 'refused', error: error.message };
  }
}

/** Leaves the local transaction; nothing of it is kept. */
class DirtyRowError extends Error {
  override readonly name = 'DirtyRowError';

  constructor({ row }: DirtyRows) {
    super(dirtyRowError(row));
  }
}

interface Waiting {
  readonly gid: Gid;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Gids that are decided to commit: those that come while one statement runs share the next. */
class Clearing<Native> {
  readonly #ports: ResourcePorts<Native>;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(ports: ResourcePorts<Native>) {
    this.#ports = ports;
  }

  clear(gid: Gid): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ gid, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Calls of the same tick belong together.
    await null;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, gidsMax);
      try {
        await this.#delete(batch.map(({ gid }) => gid));
        for (const one of batch) one.resolve();
      } catch (error) {
        for (const one of batch) one.reject(error);
      }
    }
    this.#isRunning = false;
  }

  /** One statement is a local transaction by itself. */
  async #delete(gids: readonly Gid[]): Promise<void> {
    const { database, dialect } = this.#ports;
    const connection = await database.acquire();
    try {
      await dialect.undo.clear(connection, gids);
      connection.release();
    } catch (error) {
      connection.release(error instanceof Error ? error : new Error('the undo rows stand'));
      throw error;
    }
  }
}

/** In one statement. */
const gidsMax = 256;
