/**
 * What a route of the API is, as data: Fastify serves the list and /openapi.json describes the same
 * list, so neither can have a route that the other lacks. Here the callbacks of the coordinator
 * become promises, and nowhere else.
 */
import type {
  ChannelRequests,
  DeskRequests,
  OperatorRequests,
  Role,
} from '../../client-sdk/protocol/index.ts';
import type { Desk } from '../desk/desk.ts';
import type { Lookout } from '../desk/lookout.ts';
import type { Answer, Answered, Coordinator } from '../engine/coordinator.ts';
import type { answerSchemas } from './answer-shapes.ts';

/** Everything that can be asked: over the channel as well, or only here. */
export type Requests = ChannelRequests & OperatorRequests & DeskRequests;
/** What can be asked for. */
export type Verb = keyof Requests;

/** Who answers, and who asks. */
export interface Asking {
  readonly coordinator: Coordinator;
  readonly desk: Desk;
  readonly lookout: Lookout;
  /** Name of who asks. */
  readonly who: string;
}

/** One route. Its request is what path, constants and body (POST) or query (GET) say together. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** With names in braces, as OpenAPI writes them: `/v1/transactions/{gid}`. */
  readonly path: string;
  readonly summary: string;
  readonly verb: Verb;
  /** Fields that the route itself stands for; callers must not send them. */
  readonly constants: Readonly<Record<string, unknown>>;
  /** The server makes a gid when the caller sends none. */
  readonly isGidOptional: boolean;
  readonly status: 200 | 201;
  /** Who changes something by it gives a `reason`, which is written to the server's log. */
  readonly isLogged: boolean;
  /** Who may ask, where tokens are needed. */
  readonly roles: readonly Role[];
  readonly answer: keyof typeof answerSchemas;
  /** Takes a body that has passed the schema of `verb`. Never rejects. */
  ask(asking: Asking, body: unknown): Promise<Answer<unknown>>;
}

/** A route with the types of its verb still known. */
export interface RouteSpec<V extends Verb> {
  readonly method: Route['method'];
  readonly path: string;
  readonly summary: string;
  readonly verb: V;
  readonly constants?: Readonly<Partial<Requests[V]['body']>>;
  readonly isGidOptional?: boolean;
  readonly status?: Route['status'];
  readonly isLogged?: boolean;
  /** Default: everybody may look (GET), and services may change. */
  readonly roles?: Route['roles'];
  readonly answer: Route['answer'];
  ask(asking: Asking, request: Requests[V]['body']): Promise<Answer<Requests[V]['answer']>>;
}

const everybody: readonly Role[] = ['viewer', 'operator', 'service'];
const services: readonly Role[] = ['service'];

/** Makes a route of its description. The one cast from a validated body to its request type. */
export function route<V extends Verb>(spec: RouteSpec<V>): Route {
  return {
    ...spec,
    constants: spec.constants ?? {},
    isGidOptional: spec.isGidOptional ?? false,
    status: spec.status ?? 200,
    isLogged: spec.isLogged ?? false,
    roles: spec.roles ?? (spec.method === 'GET' ? everybody : services),
    ask: (asking, body) => spec.ask(asking, body as Requests[V]['body']),
  };
}

/** The coordinator's callback as a promise; it resolves with refusals, too, and never rejects. */
export function asked<T>(start: (answered: Answered<T>) => void): Promise<Answer<T>> {
  return new Promise((resolve) => start(resolve));
}

/** Names in braces of a path, in order. */
export function pathNames(path: string): readonly string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}
