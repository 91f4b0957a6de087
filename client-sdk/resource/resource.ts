/**
 * A resource: one database whose plain SQL takes part in global transactions. Joins what the user
 * gave (`databases/`), the dialect, the scope and the coordinator; the rules are elsewhere.
 */
import type { Client } from '../client.ts';
import { SettleError } from '../errors.ts';
import { type Gid, isName, type Participant, type Phase } from '../protocol/index.ts';
import { tracedMethod } from '../spans.ts';
import { acquireWithin } from './acquire.ts';
import type { HeldConnection, ResourceDatabase } from './database.ts';
import type { BranchKey, Dialect, PhaseOne } from './dialect.ts';
import { LocalSpans } from './local-spans.ts';
import { LocalTransaction } from './local-transaction.ts';
import type { LocalScope, LocalSource } from './locals.ts';
import { inTransaction, type ResourcePorts } from './own-transaction.ts';
import { resourceMethod } from './phase-two.ts';
import { Turns } from './turns.ts';
import type { Holder } from './undo-store.ts';
import type { LocalWaits } from './waits.ts';
import { WaitDatabase } from './waits-database.ts';

/** How a database takes part. */
export interface AtOptions {
  /**
   * Name of this database, the same in every process that uses it, another for every other one:
   * 1..120 characters of the grammar of names. Phase two may be asked of any of those processes.
   */
  readonly resource: string;
  /**
   * How long a statement waits for a row (at least half of it, so that two do not give up together),
   * the first one for a connection of the pool, and the end of a transaction for the decision of
   * another one that has changed the same rows. Default 5,000 ms. Then LOCK_CONFLICT.
   */
  readonly lockTimeoutMs?: number;
  /**
   * When rows are committed in this database. `end` (default): all together, when the callback is
   * done. `eager`: when the user's own `begin … commit` ends, or a statement outside of one, each as a
   * branch of its own. The database lets go of its locks earlier and every commit costs a call to the
   * coordinator; others see what is not decided for longer. One database is never alone then.
   */
  readonly localCommits?: LocalCommits;
}

/** See {@link AtOptions.localCommits}. */
export type LocalCommits = 'end' | 'eager';

/** Of {@link AtOptions.lockTimeoutMs}. */
export const lockTimeoutMsDefault = 5_000;

/** A resource of this process. */
export class Resource<Native> implements LocalSource {
  readonly participant: Participant;
  readonly #name: string;
  readonly #client: Client;
  readonly #resource: string;
  readonly #ports: ResourcePorts<Native>;
  readonly #localCommits: LocalCommits;
  readonly #waits: WaitDatabase<Native>;

  constructor(client: Client, options: AtOptions, parts: ResourceParts<Native>) {
    const { resource, lockTimeoutMs = lockTimeoutMsDefault, localCommits = 'end' } = options;
    const method = `at.${resource}`;
    if (!isName(method)) {
      throw new SettleError('INVALID_CONFIG', `resource: "${resource}" is not a name`);
    }
    if (!Number.isSafeInteger(lockTimeoutMs) || lockTimeoutMs < 1) {
      throw new SettleError('INVALID_CONFIG', `lockTimeoutMs: ${lockTimeoutMs} is not a time`);
    }
    if (localCommits !== 'end' && localCommits !== 'eager') {
      throw new SettleError('INVALID_CONFIG', `localCommits: ${localCommits} is not end or eager`);
    }
    this.#name = resource;
    this.#client = client;
    this.#resource = resource;
    this.#localCommits = localCommits;
    this.#ports = { ...parts, lockTimeoutMs };
    const { logger } = client;
    this.#waits = new WaitDatabase({ ...parts, waits: parts.dialect.waits, logger });
    this.participant = { service: client.service, method };
    client.host.offer(tracedMethod(resourceMethod(method, this.#ports), client.tracer));
  }

  begin(scope: LocalScope): Promise<LocalTransaction<Native>> {
    const { tracer } = this.#client;
    if (tracer === null) return this.#begin(scope, null);
    const spans = new LocalSpans(tracer, scope.gid, this.#name);
    return spans.step('begin', null, () => this.#begin(scope, spans));
  }

  async #begin(
    { gid, asBranch, willWrite, waits }: LocalScope,
    spans: LocalSpans | null,
  ): Promise<LocalTransaction<Native>> {
    const { database, dialect, lockTimeoutMs } = this.#ports;
    const held = await acquireWithin(database, lockTimeoutMs);
    const name = await this.#waits.nameOf(held);
    const begin = () => held.begin(dialect.statements.begin(spreadMs(lockTimeoutMs)));
    try {
      await begin();
    } catch (error) {
      held.release(error instanceof Error ? error : new Error('it did not begin'));
      throw error;
    }
    const ports = {
      ...{ source: this.#waits, session: held, connection: name },
      resource: this.#resource,
    };
    const local = waits.open(this.#client.waits, ports);
    const connection = releasing(held, local);
    const turns = new Turns(lockTimeoutMs);
    const untilCommitted = (holder: Holder): Promise<void> =>
      local.decision(holder.gid, (signal) => this.#untilCommitted(gid, holder, signal));
    const settlePhaseOne = (branch: BranchKey) => this.settlePhaseOne(branch);
    const eager = this.#localCommits === 'eager' ? { begin, asBranch, settlePhaseOne } : null;
    const told = { willWrite: eager === null ? willWrite : nothing, untilCommitted };
    const all = { gid, dialect, connection, turns, eager, spans, waits: local };
    return new LocalTransaction({ ...all, ...told });
  }

  settlePhaseOne(branch: BranchKey): Promise<PhaseOne> {
    const { barrier } = this.#ports.dialect;
    return inTransaction(this.#ports, (connection) => barrier.block(connection, branch));
  }

  /**
   * The younger of two waits for half as long (gids are ordered by time): of two that wait for each
   * other one ends sooner, also when nobody could tell them (`waits.ts`).
   */
  async #untilCommitted(gid: Gid, holder: Holder, signal: AbortSignal): Promise<void> {
    const { lockTimeoutMs } = this.#ports;
    const waitMs = gid > holder.gid ? Math.ceil(lockTimeoutMs / 2) : lockTimeoutMs;
    const phase = await this.#phaseOf(holder.gid, { waitMs, signal });
    if (phase === 'committing' || phase === 'committed') return;
    const how =
      phase === 'active' || phase === null
        ? `is not decided after ${waitMs} ms`
        : 'rolls back, and with it what this one has seen';
    const detail = `${holder.gid}, which has changed ${holder.table} ${holder.key}, ${how}`;
    throw new SettleError('LOCK_CONFLICT', detail, { gid });
  }

  /** Null: the coordinator does not know it, which only a log that was lost or swapped explains. */
  async #phaseOf(gid: Gid, { waitMs, signal }: Patience): Promise<Phase | null> {
    const { channel, requestTimeoutMs } = this.#client;
    try {
      const wish = { gid, wait: 'decided', waitMs } as const;
      const timeoutMs = requestTimeoutMs + waitMs;
      return (await channel.request('get', wish, { timeoutMs, signal })).phase;
    } catch (error) {
      if (error instanceof SettleError && error.code === 'NOT_FOUND') return null;
      throw error;
    }
  }
}

/**
 * A wait for a lock, at most this long and at least half of it. Two that wait for each other in two
 * databases, which neither database can see, do not both give up at the same moment.
 */
export function spreadMs(msMax: number): number {
  return Math.ceil(msMax * (1 - Math.random() / 2));
}

interface Patience {
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Given back when its waits are over, too. */
function releasing<Native>(
  held: HeldConnection<Native>,
  waits: LocalWaits,
): HeldConnection<Native> {
  return { ...held, release: (error) => waits.close(() => held.release(error)) };
}

/** What a resource is made of. */
export interface ResourceParts<Native> {
  readonly database: ResourceDatabase<Native>;
  readonly dialect: Dialect;
}

function nothing(): void {}
