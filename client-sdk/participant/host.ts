/**
 * The methods that this process offers as a participant, and the one door to them: the channel,
 * plain HTTP routes and local tries all ask through `answer`. Connections and protocol frames live
 * elsewhere. Invariant: a call is always answered, never thrown, and an unexpected throw is
 * `unknown`, never `refused`.
 */

import { SettleError } from '../errors.ts';
import {
  type Call,
  type CallAnswer,
  type InstanceQuestion,
  isName,
  type Json,
  type Operation,
  type ResourceQuestion,
} from '../protocol/index.ts';
import { answerOfError } from './answer.ts';

/** What a participant offers under one name. Built by `tccMethod` and `stepMethod`. */
export interface Method {
  /** Unique in its service; grammar and length as `limits.namePattern`. */
  readonly name: string;
  /** `try confirm cancel`, `run undo`, or those of a resource: `commit rollback` and questions. */
  readonly operations: readonly (Operation | ResourceQuestion)[];
  /** Performs the call once and never rejects. Safe to repeat: the barrier answers duplicates. */
  handle(call: Call): Promise<CallAnswer>;
}

/** Registry of the methods of one process. */
export interface Host {
  /**
   * Adds a method and tells every listener of `onChange`. Throws SettleError CONFLICT when the
   * name is taken and INVALID_REQUEST when it is outside its grammar.
   */
  offer(method: Method): void;
  /** Answers a question about this process itself; a second answer takes the place of the first. */
  know(question: InstanceQuestion, answer: (payload: Json) => CallAnswer): void;
  /** Names in the order of their offers: the list that `hello` carries. */
  methods(): readonly string[];
  /** Answers a call; never rejects. A method that is not offered answers `unknown`. */
  answer(call: Call): Promise<CallAnswer>;
  /** Calls `changed` after each offer, until the function it gives back is called. */
  onChange(changed: () => void): () => void;
}

/** An empty host. It holds no resource and needs no closing. */
export function createHost(): Host {
  const offered = new Map<string, Method>();
  const known = new Map<string, (payload: Json) => CallAnswer>();
  const listeners = new Set<() => void>();
  return {
    offer(method) {
      if (!isName(method.name)) {
        throw new SettleError('INVALID_REQUEST', `"${method.name}" cannot name a method`);
      }
      if (offered.has(method.name)) {
        throw new SettleError('CONFLICT', `the method "${method.name}" is offered already`);
      }
      offered.set(method.name, method);
      for (const changed of listeners) changed();
    },
    know: (question, answer) => void known.set(question, answer),
    methods: () => [...offered.keys()],
    answer(call) {
      const about = known.get(call.operation);
      if (about === undefined) return answerCall(offered, call);
      return Promise.resolve(about(call.payload));
    },
    onChange(changed) {
      listeners.add(changed);
      return () => {
        listeners.delete(changed);
      };
    },
  };
}

function answerCall(offered: ReadonlyMap<string, Method>, call: Call): Promise<CallAnswer> {
  const method = offered.get(call.method);
  if (method === undefined) {
    return notOffered(`this instance does not offer the method "${call.method}"`);
  }
  if (!isOperationOf(method, call.operation)) {
    return notOffered(`the method "${call.method}" has no operation "${call.operation}"`);
  }
  return method.handle(call).catch(answerOfError);
}

function isOperationOf({ operations }: Method, operation: Call['operation']): boolean {
  return operations.some((own) => own === operation);
}

// Unknown, not refused: during a rolling upgrade another instance may well offer it.
function notOffered(what: string): Promise<CallAnswer> {
  return Promise.resolve({ outcome: 'unknown', error: `METHOD_NOT_OFFERED: ${what}` });
}
