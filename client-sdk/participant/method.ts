/**
 * Methods from user functions: `tccMethod` and `stepMethod` join schema, database, barrier and
 * handlers into the one thing that a host can offer. The rules of the barrier are in `barrier.ts`.
 * Invariant: whatever refused nothing in phase one (a schema, a missing undo) cannot stop phase two.
 */
import { TerminalError } from '../errors.ts';
import type { BranchId, Call, CallAnswer, Gid, Json } from '../protocol/index.ts';
import { type StandardSchema, validate } from '../standard-schema.ts';
import { answerOfError, checkResult } from './answer.ts';
import {
  type Barrier,
  forwardOf,
  type GuardedCall,
  type GuardedOperation,
  guard,
  isGuarded,
  type Work,
} from './barrier.ts';
import { barrierOf, type Database, type TrxOf } from './databases/detect.ts';
import type { Method } from './host.ts';

/** What a handler knows about the call it answers. */
export interface CallContext<Op extends GuardedOperation = GuardedOperation> {
  readonly gid: Gid;
  readonly branchId: BranchId;
  readonly operation: Op;
  /** `gid/branchId/operation`: the idempotency key to hand to other systems (a payment, a mail). */
  readonly key: string;
  /** The key that the try or run of this branch had: what confirm, cancel and undo are about. */
  readonly forwardKey: string;
}

/** The context of confirm and cancel. */
export interface TriedContext<Op extends GuardedOperation, Result> extends CallContext<Op> {
  /** What try returned, as JSON has it; undefined without `db`, for then nobody remembers it. */
  readonly tried: Result | undefined;
}

/** One database for all inputs, or a function that finds the right shard for an input. */
export type DatabaseChoice<Db, Input> = Db | ((input: Input) => Db);

/**
 * A TCC method. With `db` each handler runs once per branch, inside a local transaction that also
 * holds the guard row: do all database work through `trx`, and let its errors pass. Without `db`
 * the handlers run as they are, as often as they are asked and in any order: they must be
 * idempotent by `call.key`, `cancel` must do nothing when there was no try, and a try after its
 * cancel must refuse.
 */
export interface TccDefinition<Db, Input, Result> {
  /**
   * Confirm and cancel get the same input as try, so a function finds the same shard again; it
   * must not depend on anything else that may change.
   */
  readonly db?: DatabaseChoice<Db, Input>;
  /** Checked before try: what does not fit is refused for good. Handlers get its output. */
  readonly input?: StandardSchema<unknown, Input>;
  /** Reserves. A TerminalError refuses for good; the result may have 64 KiB of JSON. */
  try(trx: TrxOf<Db>, input: Input, call: CallContext<'try'>): Result | Promise<Result>;
  /** Makes the reservation final. Must not refuse: it is asked until it is done. */
  confirm(trx: TrxOf<Db>, input: Input, call: TriedContext<'confirm', Result>): unknown;
  /** Gives the reservation back. Must not refuse: it is asked until it is done. */
  cancel(trx: TrxOf<Db>, input: Input, call: TriedContext<'cancel', Result>): unknown;
}

/** What `run` of a step gets besides the transaction. */
export interface RunArguments<Input, Results> {
  /** Input of the whole saga. */
  readonly input: Input;
  /** Results of the steps that came before, by name. */
  readonly results: Results;
  readonly call: CallContext<'run'>;
}

/** What `undo` of a step gets besides the transaction. */
export interface UndoArguments<Input, Results, Result> {
  readonly input: Input;
  readonly results: Results;
  /** What run returned; undefined when nobody knows (no `db`, and the answer was lost). */
  readonly result: Result | undefined;
  readonly call: CallContext<'undo'>;
}

/** A saga step; `db` as in {@link TccDefinition}. */
export interface StepDefinition<Db, Input, Results, Result> {
  readonly db?: DatabaseChoice<Db, Input>;
  readonly input?: StandardSchema<unknown, Input>;
  run(trx: TrxOf<Db>, step: RunArguments<Input, Results>): Result | Promise<Result>;
  /** Takes back what run did. Left out for a step that needs none; a late run is refused anyway. */
  undo?(trx: TrxOf<Db>, step: UndoArguments<Input, Results, Result>): unknown;
}

/**
 * A method with operations try, confirm and cancel. Throws INVALID_CONFIG at once when `db` is not
 * a database that the barrier knows; what a `db` function gives is looked at on each call.
 */
export function tccMethod<Db extends Database | undefined = undefined, Input = Json, Result = Json>(
  name: string,
  definition: TccDefinition<Db, Input, Result>,
): Method {
  const { db, input: schema } = definition;
  return methodOf<TrxOf<Db>, Input>(name, ['try', 'confirm', 'cancel'], {
    schema,
    barrierFor: barrierChoice(db),
    work(trx, input, call, tried) {
      switch (call.operation) {
        case 'confirm':
          return definition.confirm(trx, input, triedContext(call, 'confirm', tried));
        case 'cancel':
          return definition.cancel(trx, input, triedContext(call, 'cancel', tried));
        default:
          return definition.try(trx, input, contextOf(call, 'try'));
      }
    },
  });
}

/** A method with operations run and undo. Throws as {@link tccMethod} does. */
export function stepMethod<
  Db extends Database | undefined = undefined,
  Input = Json,
  Results = Readonly<Record<string, Json>>,
  Result = Json,
>(name: string, definition: StepDefinition<Db, Input, Results, Result>): Method {
  const { db, input: schema } = definition;
  return methodOf<TrxOf<Db>, Input>(name, ['run', 'undo'], {
    schema,
    barrierFor: barrierChoice(db),
    work(trx, input, call, forward) {
      // Parse boundary: the saga's definition gave both ends of these results the same types.
      const results = (call.results ?? {}) as Results;
      if (call.operation === 'run') {
        return definition.run(trx, { input, results, call: contextOf(call, 'run') });
      }
      // The row in this database is nearer to the truth than what the coordinator heard of it.
      const result = (forward === undefined ? call.result : forward) as Result | undefined;
      return definition.undo?.(trx, { input, results, result, call: contextOf(call, 'undo') });
    },
  });
}

/** What a method does with a call. */
interface Performance<Trx, Input> {
  readonly schema: StandardSchema<unknown, Input> | undefined;
  readonly barrierFor: (input: Input) => Barrier<Trx> | undefined;
  readonly work: (trx: Trx, input: Input, call: GuardedCall, forward: Json | undefined) => unknown;
}

function methodOf<Trx, Input>(
  name: string,
  operations: readonly GuardedOperation[],
  performance: Performance<Trx, Input>,
): Method {
  return { name, operations, handle };

  async function handle(call: Call): Promise<CallAnswer> {
    if (isGuarded(call)) return perform(performance, call);
    // The host lets no such call through; unknown, as there, because another instance may know it.
    const error = `METHOD_NOT_OFFERED: "${name}" has no operation "${call.operation}"`;
    return { outcome: 'unknown', error };
  }
}

async function perform<Trx, Input>(
  performance: Performance<Trx, Input>,
  call: GuardedCall,
): Promise<CallAnswer> {
  try {
    const { schema, barrierFor, work } = performance;
    // Parse boundary: without a schema the type is the caller's promise.
    const input = schema === undefined ? (call.payload as Input) : await inputOf(schema, call);
    const barrier = barrierFor(input);
    if (barrier !== undefined) return await guard(barrier, call, workOf(performance, call, input));
    // Without a database `TrxOf` is undefined, which only the caller's types can know.
    const result = await work(undefined as Trx, input, call, undefined);
    const isForward = call.operation === forwardOf(call.operation);
    return { outcome: 'done', result: isForward ? checkResult(result) : null };
  } catch (error) {
    return answerOfError(error);
  }
}

function workOf<Trx, Input>(
  { work }: Performance<Trx, Input>,
  call: GuardedCall,
  input: Input,
): Work<Trx> {
  return (trx, forward) => work(trx, input, call, forward);
}

/**
 * The schema is asked on every call, because handlers are promised its output. Only a forward
 * operation can be refused by it: what has been tried must stay possible to confirm and to cancel
 * when a new version of the service has a stricter schema.
 */
async function inputOf<Input>(
  schema: StandardSchema<unknown, Input>,
  call: GuardedCall,
): Promise<Input> {
  const validated = await validate(schema, call.payload);
  if (validated.ok) return validated.value;
  if (call.operation === forwardOf(call.operation)) {
    throw new TerminalError(`invalid input: ${validated.detail}`);
  }
  return call.payload as Input;
}

function barrierChoice<Db, Input>(
  db: DatabaseChoice<Db, Input> | undefined,
): (input: Input) => Barrier<TrxOf<Db>> | undefined {
  if (db === undefined) return () => undefined;
  if (isChooser(db)) return (input) => barrierOf(db(input));
  const barrier = barrierOf(db);
  return () => barrier;
}

function isChooser<Db, Input>(db: DatabaseChoice<Db, Input>): db is (input: Input) => Db {
  return typeof db === 'function';
}

function contextOf<Op extends GuardedOperation>(call: Call, operation: Op): CallContext<Op> {
  const { gid, branchId } = call;
  const forward = forwardOf(operation);
  const forwardKey = `${gid}/${branchId}/${forward}`;
  const key = operation === forward ? forwardKey : `${gid}/${branchId}/${operation}`;
  return { gid, branchId, operation, key, forwardKey };
}

function triedContext<Op extends GuardedOperation, Result>(
  call: Call,
  operation: Op,
  tried: Json | undefined,
): TriedContext<Op, Result> {
  // Parse boundary: the row was written from this method's own result.
  return Object.assign(contextOf(call, operation), { tried: tried as Result | undefined });
}
