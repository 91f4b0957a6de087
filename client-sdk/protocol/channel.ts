/**
 * The channel: one WebSocket from each SDK process to a coordinator node, at `/channel`. A frame is
 * a JSON array of at most 64 messages, flushed at the end of the tick, both ways. Ids are chosen by
 * who asks and are unique among its unanswered messages of this connection.
 */
import type {
  BeginRequest,
  DecideRequest,
  GetRequest,
  ListAnswer,
  ListRequest,
  Problem,
  RegisterRequest,
  ReportWaitsAnswer,
  ReportWaitsRequest,
  SubmitRequest,
  TransactionAnswer,
  TransactionView,
  TryAnswer,
  TryRequest,
} from './requests.ts';
import type { Traceparent } from './trace.ts';
import type { BranchId, Gid, Json, Operation, Question } from './words.ts';

/** Version of this protocol; the server refuses a hello it does not speak with close code 4400. */
export const channelVersion = 1;

/** Request bodies by verb, and what answers them. */
export interface ChannelRequests {
  readonly begin: { readonly body: BeginRequest; readonly answer: TransactionAnswer };
  readonly register: { readonly body: RegisterRequest; readonly answer: TransactionAnswer };
  readonly try: { readonly body: TryRequest; readonly answer: TryAnswer };
  readonly decide: { readonly body: DecideRequest; readonly answer: TransactionAnswer };
  readonly submit: { readonly body: SubmitRequest; readonly answer: TransactionAnswer };
  readonly get: { readonly body: GetRequest; readonly answer: TransactionView };
  readonly list: { readonly body: ListRequest; readonly answer: ListAnswer };
  readonly reportWaits: { readonly body: ReportWaitsRequest; readonly answer: ReportWaitsAnswer };
}
/** What an initiator may ask for over the channel. */
export type ChannelVerb = keyof ChannelRequests;

/** What a participant is asked; the same body goes out by HTTP. */
export interface Call {
  /** `-` in a question about no transaction. */
  readonly gid: Gid;
  readonly branchId: BranchId;
  readonly operation: Operation | Question;
  /** Method of the service; the last path segment(s) of the url over HTTP. */
  readonly method: string;
  /** tcc: the payload of the branch. Saga: the input of the saga. at: null. Question: its body. */
  readonly payload: Json;
  /** Saga: results of the steps that come before this one, by name. */
  readonly results?: Readonly<Record<string, Json>>;
  /** Undo: the result of its run, absent when the coordinator does not know it. Null is a result. */
  readonly result?: Json;
  /** The attempt, in the trace of its transaction; over HTTP a header of this name as well. */
  readonly traceparent?: Traceparent;
}

/**
 * A participant's answer. `done`: it has happened (now or before). `refused`: it has not and never
 * will. `ongoing`: ask again. `unknown`: anything else; it will be asked again.
 */
export type CallAnswer =
  | { readonly outcome: 'done'; readonly result: Json }
  | { readonly outcome: 'refused'; readonly error: string }
  | { readonly outcome: 'ongoing'; readonly retryAfterMs?: number }
  | {
      readonly outcome: 'unknown';
      readonly error: string;
      readonly retryAfterMs?: number;
      /** Present when surely nobody was asked (not connected): such an attempt decides nothing. */
      readonly asked?: false;
    };

/** Messages from the SDK to the coordinator. */
export type ClientMessage =
  /** First message of a connection, and again when more methods are defined: replaces the list. */
  | {
      readonly kind: 'hello';
      readonly version: number;
      readonly service: string;
      readonly instance: string;
      readonly methods: readonly string[];
      /** How many unanswered calls this instance takes at once, 0..65,536. */
      readonly callsMax: number;
    }
  | {
      readonly kind: 'request';
      readonly id: number;
      readonly verb: ChannelVerb;
      readonly body: unknown;
    }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: CallAnswer };

/** Messages from the coordinator to the SDK. */
export type ServerMessage =
  /** Answers hello. `requestsMax`: unanswered requests this connection may have; more are refused OVERLOADED. */
  | {
      readonly kind: 'welcome';
      readonly version: number;
      readonly node: string;
      readonly requestsMax: number;
    }
  | { readonly kind: 'reply'; readonly id: number; readonly body: unknown }
  | { readonly kind: 'problem'; readonly id: number; readonly problem: Problem }
  | { readonly kind: 'call'; readonly id: number; readonly call: Call };

/** Context headers between services, lower case. `settle-branch` is informative. */
export const contextHeaders = {
  gid: 'settle-gid',
  branch: 'settle-branch',
  operation: 'settle-operation',
  /**
   * Between services. Not `traceparent`: tools that trace HTTP write that one themselves, and two of
   * them count as none.
   */
  trace: 'settle-traceparent',
} as const;

/** Close codes of the channel. */
export const closeCodes = { protocolError: 4400, stopping: 4503 } as const;
