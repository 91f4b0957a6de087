/**
 * TCC methods: offered to the coordinator, and called here as branches of the current transaction.
 * What the participant half does with them is in `participant/method.ts`. Guards: only a `try` has
 * a transaction context; phase two never adds branches.
 */
import type { Client } from './client.ts';
import { BranchScope, currentScope, runInScope, type Scope } from './context.ts';
import { SettleError } from './errors.ts';
import { joinedScope, runJoined } from './join.ts';
import { payloadOf } from './json.ts';
import type { Database } from './participant/databases/detect.ts';
import type { Method } from './participant/host.ts';
import { type TccDefinition, tccMethod } from './participant/method.ts';
import { type Call, isName, type Json, type Participant } from './protocol/index.ts';
import { tracedMethod } from './spans.ts';
import { type StandardSchema, validate } from './standard-schema.ts';

/** A business method, as its caller sees it. */
export interface BranchCall<Input, Result> {
  /**
   * Adds a branch to the current global transaction and performs its try. Rejects with
   * NO_TRANSACTION outside of one, INVALID_REQUEST for input outside of its schema (nothing was
   * registered then), REFUSED when the method refused (`detail` is its reason), UNKNOWN when it
   * failed otherwise or did not answer. After a failure the transaction can only roll back, even
   * when the error is caught: a branch that may not have been tried can never be confirmed.
   */
  (input: Input): Promise<Result>;
  readonly participant: Participant;
}

/** A TCC method with a schema: callers give what it takes, handlers get what it makes of that. */
export interface CheckedTccDefinition<Db, Sent, Input, Result>
  extends Omit<TccDefinition<Db, Input, Result>, 'input'> {
  readonly input: StandardSchema<Sent, Input>;
}

/** Offers the method and gives back the way to call it. */
export function defineTcc<Db extends Database | undefined, Sent, Input, Result>(
  client: Client,
  name: string,
  definition: TccDefinition<Db, Input, Result>,
): BranchCall<Sent, Result> {
  const method = tracedMethod(tccMethod(name, scoped(client, definition)), client.tracer);
  client.host.offer(method);
  const participant = { service: client.service, method: name };
  const what = `input of ${name}`;
  const call = (input: Sent): Promise<Result> => {
    const scope = currentScope();
    if (scope === undefined) return outsideOfAny(name);
    return scope.branches.call(async (registry) => {
      if (definition.input !== undefined) await check(name, definition.input, input);
      const payload = payloadOf(what, input);
      const branchId = await registry.enlist({ participant, payload });
      const { gid } = scope.context;
      const request: Call = { gid, branchId, operation: 'try', method: name, payload };
      // Parse boundary: the barrier gives back what `try` returned, as JSON has it.
      return (await tryHere(scope, method, request)) as Result;
    });
  };
  return Object.assign(call, { participant });
}

/**
 * A TCC method that lives elsewhere; its try is passed on by the coordinator. INVALID_REQUEST for
 * names outside their grammar; an address that the coordinator refuses fails the call.
 */
export function defineRemote<Input, Result>(
  client: Client,
  participant: Participant,
): BranchCall<Input, Result> {
  const name = nameOf(participant);
  const what = `input of ${name}`;
  const call = (input: Input): Promise<Result> => {
    const scope = currentScope();
    if (scope === undefined) return outsideOfAny(name);
    return scope.branches.call(async (registry) => {
      const branchId = await registry.enlist({ participant, payload: payloadOf(what, input) });
      const { gid, signal } = scope.context;
      const options = { timeoutMs: client.requestTimeoutMs, signal };
      const answer = await client.channel.request('try', { gid, branchId }, options);
      // Parse boundary: the type is the caller's promise about a method that lives elsewhere.
      return answer.result as Result;
    });
  };
  return Object.assign(call, { participant });
}

/** A name for errors; INVALID_REQUEST when the participant has none. */
export function nameOf(participant: Participant): string {
  if ('url' in participant) {
    if (URL.canParse(participant.url)) return participant.url;
    throw new SettleError('INVALID_REQUEST', `${participant.url} is not an absolute URL`);
  }
  const { service, method } = participant;
  for (const name of [service, method]) {
    if (!isName(name)) throw new SettleError('INVALID_REQUEST', `"${name}" is not a name`);
  }
  return `${service}/${method}`;
}

/** Rejects with INVALID_REQUEST when the schema does not take the input. */
export async function check(
  name: string,
  schema: StandardSchema<unknown, unknown>,
  input: unknown,
): Promise<void> {
  const validated = await validate(schema, input);
  if (validated.ok) return;
  throw new SettleError('INVALID_REQUEST', `input of ${name}: ${validated.detail}`);
}

function outsideOfAny(name: string): Promise<never> {
  return Promise.reject(new SettleError('NO_TRANSACTION', name));
}

/** No network: the barrier makes a local try as safe as one that came by the channel. */
async function tryHere(scope: Scope, method: Method, call: Call): Promise<Json> {
  const { gid } = call;
  const own = new BranchScope(scope, call.branchId);
  const answer = await runInScope(own, () => method.handle(call));
  switch (answer.outcome) {
    case 'done':
      return answer.result;
    case 'refused':
      throw new SettleError('REFUSED', answer.error, { gid, cause: own.thrown });
    case 'ongoing':
      throw new SettleError('ONGOING', call.method, { gid, cause: own.thrown });
    case 'unknown':
      throw new SettleError('UNKNOWN', answer.error, { gid, cause: own.thrown });
    default:
      return answer satisfies never;
  }
}

/** The same handlers, each in the scope that it should see. */
function scoped<Db, Input, Result>(
  client: Client,
  definition: TccDefinition<Db, Input, Result>,
): TccDefinition<Db, Input, Result> {
  return {
    ...definition,
    async try(trx, input, call) {
      const here = currentScope();
      const isHere = here?.context.gid === call.gid && here.context.branchId === call.branchId;
      if (!isHere) {
        const own = joinedScope(client, call.gid, call.branchId);
        return runJoined(own, () => definition.try(trx, input, call));
      }
      try {
        return await definition.try(trx, input, call);
      } catch (error) {
        // The answer only keeps a text; the caller in this process gets the error itself as cause.
        here.failed?.(error);
        throw error;
      }
    },
    confirm: (trx, input, call) =>
      runInScope(undefined, () => definition.confirm(trx, input, call)),
    cancel: (trx, input, call) => runInScope(undefined, () => definition.cancel(trx, input, call)),
  };
}
