/**
 * Sagas as values: a name, an input and steps, each typed by those before it. Running one lives in
 * `run.ts`. Guards: a step sees only results of steps that are certainly done before it, in its
 * types as in what the coordinator sends.
 */
import type { Client } from './client.ts';
import { runInScope } from './context.ts';
import { type Duration, durationMs } from './duration.ts';
import { SettleError } from './errors.ts';
import type { Database, TrxOf } from './participant/databases/detect.ts';
import {
  type DatabaseChoice,
  type RunArguments,
  type StepDefinition,
  stepMethod,
  type UndoArguments,
} from './participant/method.ts';
import { isName, type Json, limits, type Participant, type StepSpec } from './protocol/index.ts';
import { tracedMethod } from './spans.ts';
import type { StandardSchema } from './standard-schema.ts';
import { nameOf } from './tcc.ts';

/** Types of a saga without steps. */
export type NoSteps = Readonly<Record<never, never>>;

/** Settings of a saga. */
export interface SagaOptions<Db> {
  /** Not finished after this time, it rolls back (unless its pivot was asked). Default: never. */
  readonly timeout?: Duration;
  /** Database of the steps that don't name their own. */
  readonly db?: Db;
}

/** A saga with a schema for its input: `run` takes what the schema takes, steps get what it gives. */
export interface CheckedSagaOptions<Db, Sent, Input> extends SagaOptions<Db> {
  readonly input: StandardSchema<Sent, Input>;
}

/** What the types know of a step: its result, and the names of it and of all steps before it. */
export interface StepTypes {
  readonly result: unknown;
  readonly reach: string;
}

/** Results of the steps named, by name. */
export type ResultsOf<Steps, Names extends string = keyof Steps & string> = {
  readonly [Name in keyof Steps & Names]: Steps[Name] extends StepTypes
    ? Steps[Name]['result']
    : never;
};

/** Names of all steps that are done when those of `after` are. */
type Reach<Steps, After extends string> = After extends keyof Steps
  ? Steps[After] extends StepTypes
    ? Steps[After]['reach']
    : never
  : never;

/** Order and retries of a step. */
interface Place<After> {
  /** Steps defined earlier that must be done first. Default: the step before; `[]`: none. */
  readonly after?: After;
}

/** A pivot is asked until it answers, so it has no number of attempts. */
type Tuning =
  | {
      readonly pivot?: false;
      /** Forward attempts with unknown outcome before the saga rolls back: 1..1,000, default 3. */
      readonly attempts?: number;
    }
  | {
      /** Once it is asked only its own refusal can roll the saga back; once done, nothing can. */
      readonly pivot: true;
      readonly attempts?: never;
    };

/** A step that this service performs; offered as method `saga.step`. */
export interface LocalStep<Db, Input, Results, Result, After> extends Place<After> {
  /** As for {@link StepDefinition}; default: that of the saga. */
  readonly db?: DatabaseChoice<Db, Input>;
  readonly participant?: never;
  run(trx: TrxOf<Db>, step: RunArguments<Input, Results>): Result | Promise<Result>;
  /** Takes back what run did. Left out for a step that needs none; a late run is refused anyway. */
  undo?(trx: TrxOf<Db>, step: UndoArguments<Input, Results, Result>): unknown;
}

/** A step that lives elsewhere. It gets the input as it was given to `run`, as JSON. */
export interface RemoteStep<After> extends Place<After> {
  readonly participant: Participant;
}

/** Makes a taken name a compile error that says so. */
type NewName<Name extends string, Steps> = Name extends keyof Steps
  ? { readonly error: `there is a step "${Name}" already` }
  : unknown;

type With<Steps, Name extends string, Result, After extends string> = Steps & {
  readonly [N in Name]: { readonly result: Result; readonly reach: Name | Reach<Steps, After> };
};

/** A saga: immutable, each `step` gives a new one. `Last` is the name of its last step. */
export interface Saga<
  Sent,
  Input,
  Db extends Database | undefined,
  Steps,
  Last extends keyof Steps & string,
> {
  readonly name: string;
  /** What is submitted. */
  readonly steps: readonly StepSpec[];
  readonly input: StandardSchema<Sent, Input> | undefined;
  readonly timeoutMs: number | undefined;
  /** Only for types: what `run` takes and gives. */
  readonly types?: { readonly sent: Sent; readonly results: ResultsOf<Steps> };

  /**
   * Adds a step that lives elsewhere. INVALID_SAGA when the name is taken or is no name, when
   * `after` names a step that is not there, and beyond 256 steps.
   */
  step<
    const Name extends string,
    const After extends readonly (keyof Steps & string)[] = readonly Last[],
  >(
    name: Name & NewName<Name, Steps>,
    definition: RemoteStep<After> & Tuning,
  ): Saga<Sent, Input, Db, With<Steps, Name, Json, After[number]>, Name>;

  /** Adds a step of this service and offers it to the coordinator. Errors as above. */
  step<
    const Name extends string,
    Result,
    const After extends readonly (keyof Steps & string)[] = readonly Last[],
    StepDb extends Database | undefined = Db,
  >(
    name: Name & NewName<Name, Steps>,
    definition: LocalStep<
      StepDb,
      Input,
      ResultsOf<Steps, Reach<Steps, After[number]>>,
      Result,
      After
    > &
      Tuning,
  ): Saga<Sent, Input, Db, With<Steps, Name, Awaited<Result>, After[number]>, Name>;
}

/** Either of them. */
export type AnySagaOptions<Db, Sent, Input> = SagaOptions<Db> & {
  readonly input?: StandardSchema<Sent, Input>;
};

/** A step on its own, for the sagas of others. */
export interface OfferedStep {
  /** Give it as `participant` of a step. */
  readonly participant: { readonly service: string; readonly method: string };
}

/** Starts a saga. INVALID_SAGA when the name is outside its grammar. */
export function defineSaga<Sent, Input, Db extends Database | undefined>(
  client: Client,
  name: string,
  options: AnySagaOptions<Db, Sent, Input>,
): Saga<Sent, Input, Db, NoSteps, never> {
  if (!isName(name)) throw new SettleError('INVALID_SAGA', `"${name}" cannot name a saga`);
  const { timeout, input, db } = options;
  const range = { min: limits.timeoutMsMin, max: limits.timeoutMsMax };
  const timeoutMs = timeout === undefined ? undefined : durationMs('timeout', timeout, range);
  // The types of the steps are known to the compiler only; see `grow`.
  return grow(client, { name, input, db, timeoutMs, steps: [] }) as unknown as Saga<
    Sent,
    Input,
    Db,
    NoSteps,
    never
  >;
}

/** Offers a step as method `name` of this service. Errors as for `host.offer`. */
export function defineStep<Db extends Database | undefined, Input, Results, Result>(
  client: Client,
  name: string,
  definition: StepDefinition<Db, Input, Results, Result>,
): OfferedStep {
  client.host.offer(tracedMethod(stepMethod(name, outsideScopes(definition)), client.tracer));
  return { participant: { service: client.service, method: name } };
}

/** What a saga is made of, without the types of its steps. */
interface SagaState {
  readonly name: string;
  readonly input: StandardSchema<unknown, unknown> | undefined;
  readonly db: Database | undefined;
  readonly timeoutMs: number | undefined;
  readonly steps: readonly StepSpec[];
}

type UntypedStep = (
  | LocalStep<Database | undefined, unknown, unknown, unknown, readonly string[]>
  | RemoteStep<readonly string[]>
) &
  Tuning;

interface UntypedSaga extends Omit<SagaState, 'db'> {
  step(name: string, definition: UntypedStep): UntypedSaga;
}

function grow(client: Client, state: SagaState): UntypedSaga {
  const { name, input, timeoutMs, steps } = state;
  return {
    name,
    input,
    timeoutMs,
    steps,
    step(stepName, definition) {
      checkStep(state, stepName, definition.after);
      const participant = definition.participant ?? {
        service: client.service,
        method: `${name}.${stepName}`,
      };
      nameOf(participant);
      if (definition.participant === undefined) {
        const { db = state.db, run, undo } = definition;
        const step = { db, input, run, undo } as StepDefinition<
          undefined,
          unknown,
          unknown,
          unknown
        >;
        const method = stepMethod(`${name}.${stepName}`, outsideScopes(step));
        client.host.offer(tracedMethod(method, client.tracer));
      }
      return grow(client, {
        ...state,
        steps: [...steps, specOf(stepName, participant, definition)],
      });
    },
  };
}

function specOf(name: string, participant: Participant, definition: UntypedStep): StepSpec {
  const { after, attempts, pivot } = definition;
  return {
    name,
    participant,
    ...(after === undefined ? {} : { after }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(pivot === true ? { pivot } : {}),
  };
}

/** What can be seen here; the coordinator checks the graph as a whole when it is submitted. */
function checkStep(state: SagaState, name: string, after: readonly string[] = []): void {
  const names = state.steps.map((step) => step.name);
  const unknown = after.find((other) => !names.includes(other));
  const wrong = !isName(name)
    ? `"${name}" cannot name a step`
    : names.includes(name)
      ? `there is a step "${name}" already`
      : unknown !== undefined
        ? `step "${name}" comes after "${unknown}", which is not defined before it`
        : names.length >= limits.branchesMax
          ? `a saga has at most ${limits.branchesMax} steps`
          : null;
  if (wrong !== null) throw new SettleError('INVALID_SAGA', `${state.name}: ${wrong}`);
}

/** A step is its own unit of work: it is in nobody's transaction, wherever its call came from. */
function outsideScopes<Db, Input, Results, Result>(
  definition: StepDefinition<Db, Input, Results, Result>,
): StepDefinition<Db, Input, Results, Result> {
  return {
    ...definition,
    run: (trx, step) => runInScope(undefined, () => definition.run(trx, step)),
    undo: (trx, step) => runInScope(undefined, () => definition.undo?.(trx, step)),
  };
}
