/**
 * The messages and rows of a saga whose steps run one after another: submit, the runs, the last row.
 * What the real coordinator writes and sends when nothing goes wrong; nothing is checked.
 */
import type { StepSpec, SubmitRequest } from '../../../client-sdk/protocol/index.ts';
import type { GroupCommit, QueuedRow } from './group-commit.ts';
import type { Calls, Peer } from './peers.ts';
import { content } from './two-phase.ts';

/** One open saga. */
export interface Saga {
  readonly kind: 'saga';
  readonly gid: string;
  readonly name: string;
  readonly startedAtMs: number;
  /** JSON text. */
  readonly input: string;
  readonly steps: readonly Step[];
  readonly peer: Peer;
  readonly requestId: number;
  readonly wait: 'completed' | 'submitted';
  /** `"step":result` of the steps so far, comma between them. */
  results: string;
  /** Their records. */
  done: string;
}

interface Step {
  readonly name: string;
  readonly service: string;
  readonly method: string;
}

/** What the sagas share. */
export interface SagaPorts {
  readonly epoch: number;
  readonly commit: GroupCommit<Saga>;
  readonly calls: Calls<Saga>;
}

/** The request of initiators and the answers of participants. */
export function createSagas({ epoch, commit, calls }: SagaPorts) {
  function submit(peer: Peer, requestId: number, body: SubmitRequest): void {
    const { gid, name, wait = 'completed' } = body;
    const atMs = Date.now();
    const input = JSON.stringify(body.input ?? null);
    const steps = body.steps.map(stepOf);
    const saga: Saga = {
      kind: 'saga',
      gid,
      name,
      startedAtMs: atMs,
      input,
      steps,
      peer,
      requestId,
      wait,
      results: '',
      done: '',
    };
    const records =
      `[{"kind":"submitted","gid":"${gid}","name":"${name}","content":"${content}",` +
      `"epoch":${epoch},"labels":{},"deadlineAtMs":null,"input":${input},` +
      `"steps":[${steps.map(stepRecord).join(',')}],"atMs":${atMs}}]`;
    const index = indexOf(saga, null);
    commit.urgent({ gid, seq: 1, atMs, records, index, owner: saga, durable: submitted });
  }

  function submitted(saga: Saga): void {
    if (saga.wait === 'submitted') reply(saga, '"phase":"active","cause":null', '');
    run(saga, 1);
  }

  function run(saga: Saga, branchId: number): void {
    const { gid, input, results } = saga;
    const { service, method } = saga.steps[branchId - 1] as Step;
    const text = `{"gid":"${gid}","branchId":${branchId},"operation":"run","method":"${method}","payload":${input},"results":{${results}}}`;
    calls.call(service, text, saga, branchId);
  }

  function answered(saga: Saga, branchId: number, result: unknown): void {
    const { gid, steps } = saga;
    const { name } = steps[branchId - 1] as Step;
    const text = JSON.stringify(result);
    const comma = branchId === 1 ? '' : ',';
    const atMs = Date.now();
    saga.results += `${comma}"${name}":${text}`;
    saga.done += `${comma}{"kind":"done","done":[{"branchId":${branchId},"operation":"run","result":${text}}],"atMs":${atMs}}`;
    if (branchId < steps.length) {
      run(saga, branchId + 1);
      return;
    }
    const records = `[${saga.done}]`;
    const index = indexOf(saga, atMs);
    commit.waited({ gid, seq: 2, atMs, records, index, owner: saga, durable: finished });
  }

  return { submit, answered };
}

function finished(saga: Saga): void {
  if (saga.wait === 'submitted') return;
  const results = `,"results":{${saga.results}}`;
  reply(saga, '"phase":"committed","cause":{"kind":"completed"}', results);
}

function stepOf({ name, participant }: StepSpec): Step {
  if (!('service' in participant)) throw new Error('the floor reaches services only');
  return { name, service: participant.service, method: participant.method };
}

function stepRecord({ name, service, method }: Step, index: number): string {
  return (
    `{"branchId":${index + 1},"name":"${name}",` +
    `"participant":{"service":"${service}","method":"${method}"},` +
    `"after":[${index === 0 ? '' : index}],"isPivot":false,"attemptsMax":3}`
  );
}

function indexOf(saga: Saga, finishedAtMs: number | null): QueuedRow<Saga>['index'] {
  const isFinished = finishedAtMs !== null;
  return {
    mode: 'saga',
    name: saga.name,
    outcome: isFinished ? 'committed' : null,
    cause: isFinished ? '{"kind":"completed"}' : null,
    startedAtMs: saga.startedAtMs,
    deadlineAtMs: null,
    finishedAtMs,
  };
}

function reply({ gid, peer, requestId }: Saga, state: string, more: string): void {
  peer.write(
    `{"kind":"reply","id":${requestId},"body":{"gid":"${gid}","mode":"saga",${state},"deadlineAtMs":null${more}}}`,
  );
}
