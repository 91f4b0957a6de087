/**
 * Checks of request bodies (their shapes are in shapes.ts): the compiled schemas, the bytes of
 * payloads, the depth of JSON, and a plain sentence for people when something is wrong. A body that
 * passes here may be taken for the request type of its verb; that is the parse boundary of HTTP and
 * channel alike.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { type BranchKind, limits, traceparentPattern } from '../../client-sdk/protocol/index.ts';
import { operateFault } from './desk-shapes.ts';
import { bytesOf, fitsBytes, isShallow } from './json-size.ts';
import { labelPattern } from './query-shape.ts';
import type { Verb } from './route.ts';
import { schemas } from './shapes.ts';
import { resolveFault, undoFault } from './undo-faults.ts';

/** Why a body is refused: a code of the table and a sentence that names the place. */
export interface Fault {
  readonly code: 'INVALID_REQUEST' | 'INVALID_JSON' | 'LIMIT_EXCEEDED';
  readonly detail: string;
}

/** Null when the body is fine. Never throws, never changes the body. */
export type Validate = (body: unknown) => Fault | null;
/** One check per verb; the same for HTTP and channel. */
export type Validators = Readonly<Record<Verb, Validate>>;

/** The schema name of each verb's request. */
export const schemaNames = {
  begin: 'Begin',
  register: 'Register',
  try: 'Try',
  decide: 'Decide',
  submit: 'Submit',
  get: 'Get',
  list: 'List',
  reportWaits: 'ReportWaits',
  undo: 'Undo',
  resolve: 'Resolve',
  locks: 'Locks',
  operate: 'Operate',
  audit: 'Audit',
  verifyAudit: 'VerifyAudit',
  timeline: 'OfGid',
  explanation: 'OfGid',
  overview: 'Nothing',
  participants: 'Nothing',
  ping: 'Ping',
  lockGraph: 'Nothing',
  drain: 'Drain',
  undrain: 'Drain',
  nodes: 'Nothing',
  shards: 'Nothing',
  log: 'Nothing',
  verifyLog: 'VerifyLog',
  config: 'Nothing',
  doctor: 'Doctor',
} as const satisfies Record<Verb, keyof typeof schemas>;

/**
 * Compiles the schemas: some milliseconds, so once per process. The order of refusals is fixed:
 * depth (INVALID_JSON), shape (INVALID_REQUEST, or LIMIT_EXCEEDED for too many and too long), then
 * addresses and payloads that have no place (INVALID_REQUEST), then payload bytes (LIMIT_EXCEEDED).
 */
export function createValidators(): Validators {
  const ajv = new Ajv2020({
    strict: true,
    strictTypes: false,
    allErrors: false,
    verbose: true,
    removeAdditional: false,
    coerceTypes: false,
    useDefaults: false,
    ownProperties: true,
  });
  ajv.addVocabulary(['components']);
  ajv.addSchema({ components: { schemas } }, 'settle');
  const compile = (verb: Verb, content: Validate = contentFault): Validate => {
    const shape = ajv.compile({ $ref: `settle#/components/schemas/${schemaNames[verb]}` });
    return (body) => depthFault(body) ?? shapeFault(shape, body) ?? content(body);
  };
  return {
    begin: compile('begin'),
    register: compile('register'),
    try: compile('try'),
    decide: compile('decide'),
    submit: compile('submit'),
    get: compile('get'),
    list: compile('list'),
    reportWaits: compile('reportWaits'),
    undo: compile('undo', undoFault),
    resolve: compile('resolve', resolveFault),
    locks: compile('locks'),
    operate: compile('operate', operateFault),
    audit: compile('audit'),
    verifyAudit: compile('verifyAudit'),
    timeline: compile('timeline'),
    explanation: compile('explanation'),
    overview: compile('overview'),
    participants: compile('participants'),
    ping: compile('ping'),
    lockGraph: compile('lockGraph'),
    drain: compile('drain'),
    undrain: compile('undrain'),
    nodes: compile('nodes'),
    shards: compile('shards'),
    log: compile('log'),
    verifyLog: compile('verifyLog'),
    config: compile('config'),
    doctor: compile('doctor'),
  };
}

function depthFault(body: unknown): Fault | null {
  if (isShallow(body, limits.jsonDepthMax)) return null;
  return { code: 'INVALID_JSON', detail: `The body nests deeper than ${limits.jsonDepthMax}.` };
}

function shapeFault(shape: ValidateFunction, body: unknown): Fault | null {
  if (shape(body)) return null;
  const error = mostTelling(shape.errors ?? []);
  if (error === undefined) return { code: 'INVALID_REQUEST', detail: 'The body is not valid.' };
  const isLimit = limitKeywords.has(error.keyword);
  return { code: isLimit ? 'LIMIT_EXCEEDED' : 'INVALID_REQUEST', detail: sentenceOf(error) };
}

const limitKeywords: ReadonlySet<string> = new Set(['maxItems', 'maxLength', 'maxProperties']);

/** A failed `oneOf` reports every alternative: say what is wrong with the one that was meant. */
function mostTelling(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const union = errors.find((error) => error.keyword === 'oneOf');
  if (union === undefined) return errors.find((e) => e.keyword !== 'propertyNames') ?? errors[0];
  const participant: unknown = union.data;
  if (participant === null || typeof participant !== 'object') return union;
  const meant = Object.hasOwn(participant, 'url') ? '/oneOf/1/' : '/oneOf/0/';
  const telling = errors.find((error) => error.schemaPath.includes(meant));
  return telling === undefined || telling.keyword === 'required' ? union : telling;
}

function sentenceOf(error: ErrorObject): string {
  const place = placeOf(error.instancePath);
  const at = place === '' ? '' : `${place}: `;
  const { params } = error;
  switch (error.keyword) {
    case 'required':
      return `${joined(place, params['missingProperty'])}: is missing`;
    case 'additionalProperties':
      return `${joined(place, params['additionalProperty'])}: is not a known field`;
    case 'oneOf':
      return `${at}needs either service and method, or url`;
    case 'type':
      return place === ''
        ? 'The body must be a JSON object.'
        : `${at}must be ${articleOf(String(params['type']))}`;
    case 'enum':
      return `${at}must be one of ${[params['allowedValues']].flat().join(', ')}`;
    case 'pattern':
      return `${error.propertyName === undefined ? at : `${joined(place, error.propertyName)}: `}${
        grammars.get(String(params['pattern'])) ?? 'is outside its grammar'
      }`;
    case 'minimum':
    case 'maximum':
      return `${at}must be ${rangeOf(error)}`;
    case 'minItems':
      return `${at}needs at least ${String(params['limit'])}`;
    case 'maxItems':
      return `${at}has more than ${String(params['limit'])} entries`;
    case 'maxProperties':
      return `${at}has more than ${String(params['limit'])} entries`;
    case 'maxLength':
      return `${at}is longer than ${String(params['limit'])} characters`;
    default:
      return `${at}${error.message ?? 'is not valid'}`;
  }
}

const grammars: ReadonlyMap<string, string> = new Map([
  [limits.gidPattern, 'must be 1 to 64 characters of A-Z a-z 0-9 . _ -'],
  [traceparentPattern, 'must be a traceparent of version 00'],
  [labelPattern, `must be key=value, the value of at most ${limits.labelLengthMax} characters`],
  [
    limits.namePattern,
    'must be a name: a letter or digit, then up to 127 of A-Z a-z 0-9 . _ : / -',
  ],
]);

function rangeOf(error: ErrorObject): string {
  const parent: Record<string, unknown> = error.parentSchema ?? {};
  return `from ${String(parent['minimum'])} to ${String(parent['maximum'])}`;
}

function articleOf(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

/** `/branches/2/participant` → `branches[2].participant` (RFC 6901 escapes undone). */
function placeOf(pointer: string): string {
  let place = '';
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    place = /^\d+$/.test(key) ? `${place}[${key}]` : joined(place, key);
  }
  return place;
}

function joined(place: string, key: unknown): string {
  const shown = String(key).slice(0, 64);
  return place === '' ? shown : `${place}.${shown}`;
}

interface ShapedBranch {
  readonly kind?: BranchKind;
  readonly participant: { readonly url?: string };
  readonly payload?: unknown;
}

/** The parts of a well-formed body whose content no schema can check. */
interface Shaped {
  readonly branches?: readonly ShapedBranch[];
  readonly steps?: readonly { readonly participant: { url?: string } }[];
  readonly input?: unknown;
}

function contentFault(body: unknown): Fault | null {
  const { branches = [], steps = [], input } = body as Shaped;
  for (const [i, branch] of branches.entries()) {
    const { participant, payload } = branch;
    const fault =
      urlFault(participant.url, `branches[${i}]`) ?? kindFault(branch, i) ?? bytesFault(payload, i);
    if (fault !== null) return fault;
  }
  for (const [i, { participant }] of steps.entries()) {
    const fault = urlFault(participant.url, `steps[${i}]`);
    if (fault !== null) return fault;
  }
  return bytesFault(input, null);
}

/** `/{operation}` is put at the end, so query and fragment have no place; credentials would leak. */
function urlFault(url: string | undefined, owner: string): Fault | null {
  if (url === undefined) return null;
  const parsed = URL.parse(url);
  const isPlain =
    parsed !== null &&
    (parsed.protocol === 'http:' || parsed.protocol === 'https:') &&
    parsed.username === '' &&
    parsed.password === '' &&
    !/[?#\s]/.test(url);
  if (isPlain) return null;
  const detail = `${owner}.participant.url: must be an http or https address without user, query or fragment`;
  return { code: 'INVALID_REQUEST', detail };
}

/** What an at branch has to undo or to keep is in its own database: a payload would reach nobody. */
function kindFault({ kind, payload = null }: ShapedBranch, branch: number): Fault | null {
  if (kind !== 'at' || payload === null) return null;
  const detail = `branches[${branch}].payload: must be null or left out for kind at`;
  return { code: 'INVALID_REQUEST', detail };
}

function bytesFault(payload: unknown, branch: number | null): Fault | null {
  if (payload === undefined || fitsBytes(payload, limits.payloadBytesMax)) return null;
  const place = branch === null ? 'input' : `branches[${branch}].payload`;
  const bytes = bytesOf(payload);
  const detail = `${place}: is ${bytes} bytes of JSON, more than ${limits.payloadBytesMax}`;
  return { code: 'LIMIT_EXCEEDED', detail };
}
