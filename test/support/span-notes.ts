/**
 * Spans as tests look at them: the SDK of OpenTelemetry, with a processor that notes each span when it
 * ends, at once, so that nothing has to be waited for. The context manager is Node's own storage.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
} from '@opentelemetry/api';
import {
  BasicTracerProvider,
  type ReadableSpan,
  type Sampler,
} from '@opentelemetry/sdk-trace-base';

/** A span that has ended. */
export interface SpanNote {
  /** Whose it is. */
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly trace: string;
  readonly id: string;
  readonly parent: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly error: string | null;
  readonly startMs: number;
  readonly endMs: number;
}

/** A provider whose spans are told to `take` as they end. */
export function notingProvider(
  service: string,
  take: (note: SpanNote) => void,
  sampler?: Sampler,
): BasicTracerProvider {
  const nothing = () => Promise.resolve();
  return new BasicTracerProvider({
    ...(sampler === undefined ? {} : { sampler }),
    spanProcessors: [
      {
        onStart() {},
        onEnd: (span) => take(noteOf(service, span)),
        forceFlush: nothing,
        shutdown: nothing,
      },
    ],
  });
}

function noteOf(service: string, span: ReadableSpan): SpanNote {
  const { traceId, spanId } = span.spanContext();
  const isError = span.status.code === SpanStatusCode.ERROR;
  return {
    service,
    name: span.name,
    kind: SpanKind[span.kind] ?? '',
    trace: traceId,
    id: spanId,
    parent: span.parentSpanContext?.spanId ?? null,
    attributes: span.attributes,
    error: isError ? (span.status.message ?? '') : null,
    startMs: msOf(span.startTime),
    endMs: msOf(span.endTime),
  };
}

function msOf([seconds, nanos]: readonly [number, number]): number {
  return Math.round(seconds * 1_000 + nanos / 1e6);
}

/** Each span as `service: name`, below its parent, siblings in the order of their start. */
export function treeOf(notes: readonly SpanNote[]): readonly string[] {
  const ids = new Set(notes.map(({ id }) => id));
  const below = (parent: string | null, depth: number): readonly string[] =>
    notes
      .filter((note) => (parent === null ? !ids.has(note.parent ?? '') : note.parent === parent))
      .toSorted((a, b) => a.startMs - b.startMs)
      .flatMap((note) => [
        `${'  '.repeat(depth)}${note.service}: ${note.name}`,
        ...below(note.id, depth + 1),
      ]);
  return below(null, 0);
}

/** Lets spans find their parents inside of this process, until the function it gives is called. */
export function keepContexts(): () => void {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (within, work, self, ...given) =>
      storage.run(within, () => work.call(self as ThisParameterType<typeof work>, ...given)),
    bind: (_within, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  context.setGlobalContextManager(manager);
  return () => context.disable();
}
