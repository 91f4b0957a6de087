/**
 * Running a saga: submit it, then wait for its end. The steps are the coordinator's business.
 * Guards: a saga is never called rolled back, or failed, unless the coordinator said so.
 */
import { type Client, rolledBackError } from './client.ts';
import { durationMs } from './duration.ts';
import { SettleError } from './errors.ts';
import { gidGiven } from './gid.ts';
import { payloadOf } from './json.ts';
import type { Gid, Phase, StepSpec, SubmitRequest, TransactionAnswer } from './protocol/index.ts';
import { inSpan } from './spans.ts';
import type { StandardSchema } from './standard-schema.ts';
import { check } from './tcc.ts';

/** How a saga is run. */
export interface RunOptions {
  /** The gid, which makes the run idempotent: same id and input, same saga. Default: a new one. */
  readonly id?: Gid;
  /** `completed` (default): when finished, or after `waitMs`. `submitted`: when it is durable. */
  readonly wait?: 'completed' | 'submitted';
  /** How long `completed` may wait: up to 30 days, default 30,000. */
  readonly waitMs?: number;
  /** Aborting ends the wait and rejects with `signal.reason`; a saga that was submitted goes on. */
  readonly signal?: AbortSignal;
  /** For search: at most 16 of at most 128 characters. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Where a saga is. Rolled back ones are not here: they throw. */
export type RunOutcome<Results> =
  | { readonly gid: Gid; readonly phase: 'committed'; readonly results: Results }
  | {
      readonly gid: Gid;
      /** It was not waited for, or not long enough. `rollingBack`: it will end rolled back. */
      readonly phase: Exclude<Phase, 'committed' | 'rolledBack'>;
      readonly results: null;
    };

/** A saga, as far as running it needs to know. */
export interface Runnable {
  readonly name: string;
  readonly steps: readonly StepSpec[];
  readonly input: StandardSchema<unknown, unknown> | undefined;
  readonly timeoutMs: number | undefined;
}

const defaults = { waitMs: 30_000 } as const;

const waitRange = { min: 0, max: 30 * 24 * 3_600_000 } as const;

/** The longest wait that one request may ask for; longer ones ask again. */
const requestWaitMsMax = 60_000;

/**
 * Submits the saga and waits for it. Rejects with INVALID_REQUEST (the input does not fit; nothing
 * was sent), ROLLED_BACK (`cause` tells why), CONFLICT (the id was used with other content),
 * UNKNOWN (it may run: ask again with the same id), or `signal.reason`.
 */
export async function runSaga<Results>(
  client: Client,
  saga: Runnable,
  input: unknown,
  options: RunOptions,
): Promise<RunOutcome<Results>> {
  const gid = gidGiven('id', options.id);
  if (saga.input !== undefined) await check(saga.name, saga.input, input);
  const waitMs = durationMs('waitMs', options.waitMs ?? defaults.waitMs, waitRange);
  const patience = { ...options, waitMs };
  const body = bodyOf(gid, saga, input, patience);
  const { tracer } = client;
  if (tracer === null) return submitted(client, body, patience);
  const attributes = { 'settle.gid': gid, 'settle.mode': 'saga' };
  const span = { name: `settle.saga ${saga.name}`, kind: 'internal', attributes } as const;
  return inSpan(tracer, span, ({ traceparent }) =>
    submitted(client, traceparent === undefined ? body : { ...body, traceparent }, patience),
  );
}

interface Patience extends RunOptions {
  readonly waitMs: number;
}

async function submitted<Results>(
  client: Client,
  body: SubmitRequest,
  { wait, waitMs, signal }: Patience,
): Promise<RunOutcome<Results>> {
  const { gid } = body;
  const endsAtMs = performance.now() + waitMs;
  let answer = await submit(client, body, signal);
  while (wait !== 'submitted' && !isTerminal(answer.phase)) {
    const leftMs = Math.min(requestWaitMsMax, Math.ceil(endsAtMs - performance.now()));
    if (leftMs <= 0) break;
    answer = await ask(client, gid, leftMs, signal);
  }
  return outcomeOf(answer);
}

function bodyOf(gid: Gid, saga: Runnable, input: unknown, options: Patience): SubmitRequest {
  const { wait = 'completed', waitMs, labels } = options;
  return {
    gid,
    name: saga.name,
    input: payloadOf(`input of ${saga.name}`, input),
    steps: saga.steps,
    ...(saga.timeoutMs === undefined ? {} : { timeoutMs: saga.timeoutMs }),
    ...(labels === undefined ? {} : { labels }),
    wait,
    ...(wait === 'completed' ? { waitMs: Math.min(waitMs, requestWaitMsMax) } : {}),
  };
}

function submit(
  client: Client,
  body: SubmitRequest,
  signal: AbortSignal | undefined,
): Promise<TransactionAnswer> {
  const timeoutMs = client.requestTimeoutMs + (body.waitMs ?? 0);
  return client.channel.request('submit', body, { timeoutMs, signal });
}

/** It is submitted, so whatever goes wrong with asking leaves the outcome unknown. */
async function ask(
  client: Client,
  gid: Gid,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<TransactionAnswer> {
  try {
    const timeoutMs = client.requestTimeoutMs + waitMs;
    const body = { gid, wait: 'completed', waitMs } as const;
    return await client.channel.request('get', body, { timeoutMs, signal });
  } catch (error) {
    if (!(error instanceof SettleError) || signal?.aborted) throw error;
    const detail = `the saga was submitted, but how it went cannot be read: ${error.detail}`;
    throw new SettleError('UNKNOWN', detail, { gid, cause: error });
  }
}

function isTerminal(phase: Phase): boolean {
  return phase === 'committed' || phase === 'rolledBack';
}

function outcomeOf<Results>(answer: TransactionAnswer): RunOutcome<Results> {
  const { gid, phase } = answer;
  if (phase === 'rolledBack') throw rolledBackError(gid, answer.cause);
  if (phase !== 'committed') return { gid, phase, results: null };
  // Parse boundary: the saga's own steps gave these results their types.
  return { gid, phase, results: (answer.results ?? {}) as Results };
}
